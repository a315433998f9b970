@needs:pods.real @needs:net.capture
Feature: How packets get from node to node
  A Pod's packet for a Pod of another node leaves by the Pod's device, its other end and the bridge, and then by
  flannel's backend: through a process that wraps it in a datagram (udp), through a device that does so in the kernel
  (vxlan), or as it is (host-gw). On the other node it goes the same way back.

  @req:FLN-1
  Rule: With the backend udp a packet leaves by the bridge, flannel0, and as a datagram of the daemon by the node's NIC

    @id:backends.01 @core
    Scenario: The way to a Pod on another node
      Given flannel's backend is "udp"
      And the nodes "n1" and "n2" run Pods
      And these running Pods:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
        | b    | n2            | 80     |
      When a connection from the Pod "a" to port 80 of the Pod "b" is followed
      Then it crosses:
        | host | device          | around it                      |
        | a    | eth0            |                                |
        | n1   | /veth.*/        |                                |
        | n1   | /docker0\|cni0/ |                                |
        | n1   | flannel0        |                                |
        | n1   | /e.*/           | udp (node n1) > (node n2):8285 |
        | n2   | /e.*/           | udp (node n1) > (node n2):8285 |
        | n2   | flannel0        |                                |
        | n2   | /docker0\|cni0/ |                                |
        | n2   | /veth.*/        |                                |
        | b    | eth0            |                                |

    @id:backends.02 @core @needs:net.fault
    Scenario: Without the daemon nothing gets through
      Given flannel's backend is "udp"
      And the nodes "n1" and "n2" run Pods
      And these running Pods:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
        | b    | n2            | 80     |
      And connections from the Pod "a" to port 80 of the Pod "b" are answered
      When flanneld of the node "n1" stops
      Then within 30 seconds connections from the Pod "a" to port 80 of the Pod "b" get no answer

    @id:backends.03 @core @needs:net.fault
    Scenario: A daemon that starts again carries on
      Given flannel's backend is "udp"
      And the nodes "n1" and "n2" run Pods
      And these running Pods:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
        | b    | n2            | 80     |
      And flanneld of the node "n1" has stopped
      When flanneld of the node "n1" starts again
      Then within 60 seconds connections from the Pod "a" to port 80 of the Pod "b" are answered by "b"

  @req:FLN-2
  Rule: With the backend udp a packet arrives by the NIC, as a datagram to the daemon, and goes by flannel0 and the bridge

    @id:backends.04 @core
    Scenario: The way of the answer
      Given flannel's backend is "udp"
      And the nodes "n1" and "n2" run Pods
      And these running Pods:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
        | b    | n2            | 80     |
      When a connection from the Pod "a" to port 80 of the Pod "b" is followed
      Then the answer to it crosses:
        | host | device          | around it                      |
        | b    | eth0            |                                |
        | n2   | /veth.*/        |                                |
        | n2   | /docker0\|cni0/ |                                |
        | n2   | flannel0        |                                |
        | n2   | /e.*/           | udp (node n2) > (node n1):8285 |
        | n1   | /e.*/           | udp (node n2) > (node n1):8285 |
        | n1   | flannel0        |                                |
        | n1   | /docker0\|cni0/ |                                |
        | n1   | /veth.*/        |                                |
        | a    | eth0            |                                |

  @req:FLN-5
  Rule: With the backend vxlan a packet crosses the wire in VXLAN, with VNI 1, by UDP port 8472, between the nodes

    @id:backends.05 @core
    Scenario: The way to a Pod on another node, wrapped by the kernel
      Given flannel's backend is "vxlan"
      And the nodes "n1" and "n2" run Pods
      And these running Pods:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
        | b    | n2            | 80     |
      When a connection from the Pod "a" to port 80 of the Pod "b" is followed
      Then it crosses:
        | host | device          | around it                               |
        | a    | eth0            |                                         |
        | n1   | /veth.*/        |                                         |
        | n1   | /docker0\|cni0/ |                                         |
        | n1   | flannel.1       |                                         |
        | n1   | /e.*/           | udp (node n1) > (node n2):8472, vxlan 1 |
        | n2   | /e.*/           | udp (node n1) > (node n2):8472, vxlan 1 |
        | n2   | flannel.1       |                                         |
        | n2   | /docker0\|cni0/ |                                         |
        | n2   | /veth.*/        |                                         |
        | b    | eth0            |                                         |

    @id:backends.06 @core @needs:net.state
    Scenario: The device knows where each node's Pods are
      Given flannel's backend is "vxlan"
      When the nodes "n1" and "n2" come to run Pods
      Then within 30 seconds the links of the node "n1" include:
        | device    | kind  | id | port | learning | local     | state |
        | flannel.1 | vxlan | 1  | 8472 | no       | (node n1) | up    |
      And within 30 seconds the routes of the node "n1" include:
        | destination    | gateway         | device    | onlink |
        | (subnet of n2) | (network of n2) | flannel.1 | yes    |
      And within 30 seconds the neighbors of the node "n1" include:
        | address         | device    |
        | (network of n2) | flannel.1 |
      And within 30 seconds the fdb of the node "n1" include:
        | device    | remote    |
        | flannel.1 | (node n2) |

    @id:backends.07 @core @needs:net.fault
    Scenario: Without the daemon the kernel goes on
      Given flannel's backend is "vxlan"
      And the nodes "n1" and "n2" run Pods
      And these running Pods:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
        | b    | n2            | 80     |
      And connections from the Pod "a" to port 80 of the Pod "b" are answered
      When flanneld of the node "n1" stops
      Then for 30 seconds connections from the Pod "a" to port 80 of the Pod "b" are answered

    @id:backends.08 @core @needs:net.fault @needs:nodes.fault
    Scenario: A daemon that starts again learns of the nodes that joined meanwhile
      Given flannel's backend is "vxlan"
      And the nodes "n1" and "n2" run Pods
      And flanneld of the node "n1" has stopped
      And the nodes "new" have joined
      When flanneld of the node "n1" starts again
      Then within 60 seconds the routes of the node "n1" include:
        | destination     | device    |
        | (subnet of new) | flannel.1 |

  @req:FLN-6
  Rule: With the backend host-gw a packet crosses the wire as it is, routed to the other node

    @id:backends.09 @core
    Scenario: The way to a Pod on another node, without any wrapping
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

    @id:backends.10 @core @needs:net.state
    Scenario: Each node is the gateway to its Pods
      Given flannel's backend is "host-gw"
      When the nodes "n1" and "n2" come to run Pods
      Then within 30 seconds the routes of the node "n1" include:
        | destination    | gateway   |
        | (subnet of n2) | (node n2) |

    @id:backends.11 @core @needs:net.state @needs:net.fault
    Scenario: A route that somebody removes comes back
      Given flannel's backend is "host-gw"
      And the nodes "n1" and "n2" run Pods
      When somebody removes from the routes of the node "n1":
        | destination    |
        | (subnet of n2) |
      Then within 30 seconds the routes of the node "n1" include:
        | destination    | gateway   |
        | (subnet of n2) | (node n2) |

  @req:FLN-7
  Rule: Pods of two nodes see each other under their own addresses, whatever the backend

    @id:backends.12 @core
    Scenario Outline: A Pod is seen as itself on another node
      Given flannel's backend is "<backend>"
      And the nodes "n1" and "n2" run Pods
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
        | b    | n2            | 80     |
      Then within 30 seconds connections from the Pod "a" to port 80 of the Pod "b" are seen to come from the Pod "a"

      Examples:
        | backend |
        | udp     |
        | vxlan   |
        | host-gw |
