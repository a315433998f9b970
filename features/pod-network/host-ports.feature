@needs:pods.real
Feature: Ports of the host
  A container's port may be given a port of its node. It is reached there from outside of the cluster and from inside,
  as long as the Pod lives.

  Background:
    Given the nodes "n1" and "n2" run Pods
    And these running Pods:
      | name   | spec.nodeName | serves |
      | client | n2            | 80     |

  @req:NET-14
  Rule: A container is reached at the host port that it asks for, on its node alone

    @id:host-ports.01 @core @needs:net.outside
    Scenario Outline: <who> reaches a container at its node's port
      When these Pods come to run:
        | name | spec.nodeName | serves | spec.containers[0].ports[0].containerPort | spec.containers[0].ports[0].hostPort |
        | a    | n1            | 80     | 80                                        | 18081                                |
      Then within 30 seconds connections from <from> to port 18081 of the node "n1" are answered by "a"

      Examples:
        | who                   | from             |
        | A client outside      | a client outside |
        | A Pod of another node | the Pod "client" |
        | The node itself       | the node "n1"    |

    @id:host-ports.02 @core @needs:net.outside
    Scenario: Another node does not have the port
      When these Pods come to run:
        | name | spec.nodeName | serves | spec.containers[0].ports[0].containerPort | spec.containers[0].ports[0].hostPort |
        | a    | n1            | 80     | 80                                        | 18081                                |
      Then within 30 seconds connections from a client outside to port 18081 of the node "n1" are answered
      And within 30 seconds connections from a client outside to port 18081 of the node "n2" are refused

    @id:host-ports.03 @core @needs:net.outside
    Scenario: The port goes with the Pod
      Given these running Pods:
        | name | spec.nodeName | serves | spec.containers[0].ports[0].containerPort | spec.containers[0].ports[0].hostPort |
        | a    | n1            | 80     | 80                                        | 18081                                |
      And connections from a client outside to port 18081 of the node "n1" are answered
      When the Pod "a" is deleted
      Then within 60 seconds connections from a client outside to port 18081 of the node "n1" are refused

    @id:host-ports.04 @extended @needs:net.outside
    Scenario: A client outside is seen as itself
      When these Pods come to run:
        | name | spec.nodeName | serves | spec.containers[0].ports[0].containerPort | spec.containers[0].ports[0].hostPort |
        | a    | n1            | 80     | 80                                        | 18081                                |
      Then within 30 seconds connections from a client outside to port 18081 of the node "n1" are seen to come from a client outside
