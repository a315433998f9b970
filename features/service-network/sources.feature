@needs:pods.real
Feature: Whom the server sees
  An answer must come back the way the question went. So where a connection might be answered past the node that
  balanced it, that node puts an address of its own in the client's place; where it cannot, the server sees the client.

  Background:
    Given the nodes "n1" and "n2" run Pods
    And these running Pods:
      | name   | labels  | spec.nodeName | serves |
      | a      | app=web | n1            | 80     |
      | near   | app=ask | n1            | 80     |

  @req:PRX-18
  Rule: Through a ClusterIP a Pod is seen under its own address, a node under one of the node's

    @id:sources.01 @core
    Scenario: A Pod on the server's node is seen as itself
      When a Service "web" is created
      Then within 30 seconds connections from the Pod "near" to port 80 of the Service "web" are seen to come from the Pod "near"

    @id:sources.02 @core
    Scenario: A Pod on another node is seen as itself
      Given these running Pods:
        | name | labels  | spec.nodeName | serves |
        | far  | app=ask | n2            | 80     |
      When a Service "web" is created
      Then within 30 seconds connections from the Pod "far" to port 80 of the Service "web" are seen to come from the Pod "far"

    @id:sources.03 @core
    Scenario Outline: A node is seen under an address of its own
      When a Service "web" is created
      Then within 30 seconds connections from the node "<node>" to port 80 of the Service "web" are seen to come from the node "<node>"

      Examples:
        | node |
        | n1   |
        | n2   |

    @id:sources.04 @extended
    Scenario: A Pod that reaches itself sees its node
      When a Service "web" is created
      Then within 30 seconds connections from the Pod "a" to port 80 of the Service "web" are seen to come from the node "n1"

  @req:PRX-19
  Rule: Through a node port or an external address everybody is seen under an address of the node that was asked

    @id:sources.05 @core @needs:net.outside
    Scenario Outline: A client outside is seen as the node that it asked
      When a Service "web" is created with:
        | field     | value    |
        | spec.type | NodePort |
      Then within 30 seconds connections from a client outside to node port of the Service "web" on the node "<node>" are seen to come from the node "<node>"

      Examples:
        | node |
        | n1   |
        | n2   |

    @id:sources.06 @extended
    Scenario: A Pod that asks its own node is seen as that node
      When a Service "web" is created with:
        | field     | value    |
        | spec.type | NodePort |
      Then within 30 seconds connections from the Pod "near" to node port of the Service "web" on the node "n1" are seen to come from the node "n1"

    @id:sources.07 @core
    Scenario: A Pod that asks another node is seen as that node
      When a Service "web" is created with:
        | field     | value    |
        | spec.type | NodePort |
      Then within 30 seconds connections from the Pod "near" to node port of the Service "web" on the node "n2" are seen to come from the node "n2"

  @req:PRX-12
  Rule: With the policy Local a client outside is seen as it is

    @id:sources.08 @core @needs:net.outside
    Scenario: Through a node port
      When a Service "web" is created with:
        | field                      | value    |
        | spec.type                  | NodePort |
        | spec.externalTrafficPolicy | Local    |
      Then within 30 seconds connections from a client outside to node port of the Service "web" on the node "n1" are seen to come from a client outside

    @id:sources.09 @core @needs:lb.provision @needs:net.outside
    Scenario: Through a load balancer's address
      When a Service "web" is created with:
        | field                      | value        |
        | spec.type                  | LoadBalancer |
        | spec.externalTrafficPolicy | Local        |
      Then within 60 seconds connections from a client outside to load balancer's port 80 of the Service "web" are seen to come from a client outside
