@needs:pods.real @needs:net.capture
Feature: From node to node without a wrapping
  Where the nodes' own network carries the Pods' packets as they are, the way from Pod to Pod is that of any two
  machines behind two routers.

  @req:NET-9 @needs:net.capture
  Rule: Without encapsulation the way is veth, bridge, NIC, the other node's NIC, bridge and veth

    @id:across-nodes.01 @core
    Scenario: From one node's bridge to the other's over the wire alone
      Given flannel's backend is "host-gw"
      And the nodes "n1" and "n2" run Pods
      And these running Pods:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
        | b    | n2            | 80     |
      When a connection from the Pod "a" to port 80 of the Pod "b" is followed
      Then it crosses:
        | host | device          | around it |
        | a    | eth0            |           |
        | n1   | /veth.*/        |           |
        | n1   | /docker0\|cni0/ |           |
        | n1   | /e.*/           |           |
        | n2   | /e.*/           |           |
        | n2   | /docker0\|cni0/ |           |
        | n2   | /veth.*/        |           |
        | b    | eth0            |           |
