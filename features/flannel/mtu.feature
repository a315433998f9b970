@needs:pods.real @needs:net.state
Feature: Room for what flannel adds
  A packet that is wrapped gets longer. So flannel's device, and the Pods' devices with it, take shorter packets than
  the node's NIC, by as much as the backend adds.

  @req:FLN-4
  Rule: flannel's device has the NIC's MTU less what the backend adds, and large answers arrive

    @id:mtu.01 @core
    Scenario: VXLAN takes 50 of a wire's 1500 bytes
      Given flannel's backend is "vxlan"
      When the nodes "n1" and "n2" come to run Pods
      Then within 30 seconds the links of the node "n1" include:
        | device    | mtu  |
        | flannel.1 | 1450 |

    @id:mtu.03 @extended
    Scenario: A datagram takes 28 of a wire's 1500 bytes
      Given flannel's backend is "udp"
      When the nodes "n1" and "n2" come to run Pods
      Then within 30 seconds the links of the node "n1" include:
        | device   | mtu  |
        | flannel0 | 1472 |

    @id:mtu.02 @extended
    Scenario Outline: Much data gets through from node to node
      Given flannel's backend is "<backend>"
      And the nodes "n1" and "n2" run Pods
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
        | b    | n2            | 80     |
      Then within 30 seconds 20000 bytes from the Pod "a" get through to port 80 of the Pod "b"

      Examples:
        | backend |
        | udp     |
        | vxlan   |
        | host-gw |

    @id:mtu.04 @core @needs:net.outside
    Scenario Outline: Who sends a datagram that does not fit is told, and sends it in pieces
      Given flannel's backend is "<backend>"
      And the nodes "n1" and "n2" run Pods
      And these running Pods:
        | name | labels  | spec.nodeName | serves |
        | a    | app=web | n2            | 80     |
      When a Service "web" is created with:
        """
        spec:
          type: NodePort
          ports:
            - {port: 80, protocol: UDP}
        """
      Then within 60 seconds 1460 bytes from a client outside get through to UDP node port of the Service "web" on the node "n1"

      Examples:
        | backend |
        | udp     |
        | vxlan   |
