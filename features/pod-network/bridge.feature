@needs:pods.real
Feature: The Pods' bridge
  Each node has a bridge for its Pods. A Pod's eth0 is one end of a pair, the other end is a port of the bridge; the
  bridge has the first address of the node's subnet and is the Pods' way out.

  Background:
    Given the nodes "n1" and "n2" run Pods
    And these running Pods:
      | name | spec.nodeName | serves |
      | a    | n1            | 80     |

  @req:NET-5 @needs:net.state
  Rule: Pods hang by veth on their node's bridge and have addresses of its subnet

    @id:bridge.01 @core
    Scenario: The bridge has the first address of the node's subnet
      When these Pods come to run:
        | name | spec.nodeName |
        | b    | n1            |
      Then within 30 seconds the links of the node "n1" include:
        | device          | kind   | state |
        | /docker0\|cni0/ | bridge | up    |
      And within 30 seconds the addresses of the node "n1" include:
        | device          | address         |
        | /docker0\|cni0/ | (gateway of n1) |

    @id:bridge.02 @core
    Scenario: One end of a pair is the Pod's eth0, the other a port of the bridge
      When these Pods come to run:
        | name | spec.nodeName |
        | b    | n1            |
      Then within 30 seconds the links of the node "n1" include:
        | device   | kind | master          | state |
        | /veth.*/ | veth | /docker0\|cni0/ | up    |
      And within 30 seconds the links of the Pod "b" include:
        | device | kind | state |
        | eth0   | veth | up    |
      And within 30 seconds the addresses of the Pod "b" include:
        | device | address   |
        | eth0   | (Pod b)   |
        | lo     | 127.0.0.1 |

  @req:NET-6
  Rule: A Pod's default route is the bridge, and Pods of one node need nothing else

    @id:bridge.03 @core @needs:net.state
    Scenario: The bridge is a Pod's way out
      When these Pods come to run:
        | name | spec.nodeName |
        | b    | n2            |
      Then within 30 seconds the routes of the Pod "b" include:
        | destination    | gateway         | device |
        | default        | (gateway of n2) | eth0   |
        | (subnet of n2) |                 | eth0   |

    @id:bridge.04 @core @needs:net.capture
    Scenario: Between Pods of one node packets cross only the pairs and the bridge
      Given these running Pods:
        | name | spec.nodeName | serves |
        | b    | n1            | 80     |
      When a connection from the Pod "a" to port 80 of the Pod "b" is followed
      Then it crosses:
        | host | device   |
        | a    | eth0     |
        | n1   | /veth.*/ |
        | n1   | /veth.*/ |
        | b    | eth0     |

  @req:NET-8 @needs:net.state
  Rule: Each node routes every other node's subnet towards that node

    @id:bridge.05 @core
    Scenario: Each of two nodes routes to the other
      When these Pods come to run:
        | name | spec.nodeName |
        | b    | n2            |
      Then within 30 seconds the routes of the node "n1" include:
        | destination    |
        | (subnet of n2) |
      And within 30 seconds the routes of the node "n2" include:
        | destination    |
        | (subnet of n1) |

    @id:bridge.06 @core
    Scenario: A node routes its own subnet to its bridge
      When these Pods come to run:
        | name | spec.nodeName |
        | b    | n2            |
      Then within 30 seconds the routes of the node "n2" include:
        | destination    | device          | gateway |
        | (subnet of n2) | /docker0\|cni0/ |         |
