@needs:pods.real
Feature: Traffic policies
  A Service can keep its traffic on the node where it arrives: what comes from outside (externalTrafficPolicy), or what
  comes from inside (internalTrafficPolicy). Or it prefers what is near, and goes farther where nothing is.

  Background:
    Given the nodes "n1" and "n2" run Pods
    And these running Pods:
      | name | labels  | spec.nodeName | serves | gate |
      | a    | app=web | n1            | 80     | open |
      | ask1 | app=ask | n1            | 80     |      |
      | ask2 | app=ask | n2            | 80     |      |

  @req:PRX-12
  Rule: With the external policy Local a node leads what comes from outside to its own Pods only

    @id:policies.01 @core @needs:net.outside
    Scenario: A node with Pods uses these alone
      Given these running Pods:
        | name | labels  | spec.nodeName | serves |
        | b    | app=web | n2            | 80     |
      When a Service "web" is created with:
        | field                      | value    |
        | spec.type                  | NodePort |
        | spec.externalTrafficPolicy | Local    |
      Then within 30 seconds connections from a client outside to node port of the Service "web" on the node "n1" are answered by "a"
      And within 30 seconds connections from a client outside to node port of the Service "web" on the node "n2" are answered by "b"

    @id:policies.03 @core
    Scenario: What comes from inside is led to all Pods
      When a Service "web" is created with:
        | field                      | value    |
        | spec.type                  | NodePort |
        | spec.externalTrafficPolicy | Local    |
      Then within 30 seconds connections from the Pod "ask2" to port 80 of the Service "web" are answered by "a"

  @req:PRX-23 @needs:lb.provision
  Rule: A load balancer can ask each node whether it has Pods of the Service

    @id:policies.04 @core @needs:net.outside
    Scenario: A node tells how many it has
      When a Service "web" is created with:
        | field                      | value        |
        | spec.type                  | LoadBalancer |
        | spec.externalTrafficPolicy | Local        |
      Then within 60 seconds the health check of the Service "web" tells of 1 Pods on "n1"
      And within 60 seconds the health check of the Service "web" tells of 0 Pods on "n2"

    @id:policies.05 @core @needs:net.outside
    Scenario: A node whose Pod turns unready has none
      Given a Service "web" with:
        | field                      | value        |
        | spec.type                  | LoadBalancer |
        | spec.externalTrafficPolicy | Local        |
      And the load balancer's address of the Service "web" is called "first"
      When the readiness gate of the Pod "a" closes
      Then within 60 seconds the health check of the Service "web" tells of 0 Pods on "n1"

  @req:PRX-24
  Rule: With the internal policy Local a client is led to Pods of its own node only

    @id:policies.06 @core
    Scenario: A client beside a Pod is answered by it alone
      Given these running Pods:
        | name | labels  | spec.nodeName | serves |
        | b    | app=web | n2            | 80     |
      When a Service "web" is created with:
        | field                      | value |
        | spec.internalTrafficPolicy | Local |
      Then within 30 seconds connections from the Pod "ask1" to port 80 of the Service "web" are answered by "a"
      And within 30 seconds connections from the Pod "ask2" to port 80 of the Service "web" are answered by "b"

    @id:policies.07 @core
    Scenario: A client on a node without Pods gets no answer
      When a Service "web" is created with:
        | field                      | value |
        | spec.internalTrafficPolicy | Local |
      Then within 30 seconds connections from the Pod "ask1" to port 80 of the Service "web" are answered
      And within 30 seconds connections from the Pod "ask2" to port 80 of the Service "web" get no answer

    @id:policies.08 @core @needs:net.outside
    Scenario: What comes from outside is led to all Pods
      When a Service "web" is created with:
        | field                      | value    |
        | spec.type                  | NodePort |
        | spec.internalTrafficPolicy | Local    |
      Then within 30 seconds connections from a client outside to node port of the Service "web" on the node "n2" are answered by "a"

  @req:PRX-25
  Rule: Traffic that is to stay on the client's node goes farther only where no Pod is there

    @id:policies.09 @core
    Scenario: A client beside a Pod is answered by it, one without by all
      Given these running Pods:
        | name | labels  | spec.nodeName | serves |
        | b    | app=web | n1            | 80     |
      When a Service "web" is created with:
        | field                    | value          |
        | spec.trafficDistribution | PreferSameNode |
      Then within 30 seconds connections from the Pod "ask1" to port 80 of the Service "web" are answered by "a" and "b"
      And within 30 seconds connections from the Pod "ask2" to port 80 of the Service "web" are answered by "a" and "b"

    @id:policies.10 @core
    Scenario: Of two nodes with Pods each client uses its own
      Given these running Pods:
        | name | labels  | spec.nodeName | serves |
        | b    | app=web | n2            | 80     |
      When a Service "web" is created with:
        | field                    | value          |
        | spec.trafficDistribution | PreferSameNode |
      Then within 30 seconds connections from the Pod "ask1" to port 80 of the Service "web" are answered by "a"
      And within 30 seconds connections from the Pod "ask2" to port 80 of the Service "web" are answered by "b"
