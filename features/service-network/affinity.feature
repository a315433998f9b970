@needs:pods.real
Feature: Session affinity
  With the affinity ClientIP a client stays with the Pod that has answered it first, until it has been away for longer
  than the timeout.

  Background:
    Given the nodes "n1" and "n2" run Pods
    And these running Pods:
      | name   | labels  | spec.nodeName | serves | gate |
      | a      | app=web | n1            | 80     | open |
      | b      | app=web | n2            | 80     | open |
      | client | app=ask | n1            | 80     |      |

  @req:PRX-9
  Rule: A client stays on one Pod until the timeout

    @id:affinity.01 @core
    Scenario: A client of the ClusterIP stays with one Pod
      Given a Service "web" with:
        | field                | value    |
        | spec.sessionAffinity | ClientIP |
      And connections from the Pod "client" to port 80 of the Service "web" are answered
      When the Pod "client" connects 20 times to port 80 of the Service "web"
      Then the same Pod has answered all of them

    @id:affinity.02 @core @needs:net.outside
    Scenario: A client of a node port stays with one Pod
      Given a Service "web" with:
        | field                | value    |
        | spec.type            | NodePort |
        | spec.sessionAffinity | ClientIP |
      And connections from a client outside to node port of the Service "web" on the node "n1" are answered
      When a client outside connects 20 times to node port of the Service "web" on the node "n1"
      Then the same Pod has answered all of them

    @id:affinity.03 @core @needs:time.skip
    Scenario: A client that has been away for longer than the timeout is led anywhere
      Given a Service "web" with:
        | field                                             | value    |
        | spec.sessionAffinity                              | ClientIP |
        | spec.sessionAffinityConfig.clientIP.timeoutSeconds | 10       |
      And connections from the Pod "client" to port 80 of the Service "web" are answered
      When the Pod "client" connects 12 times to port 80 of the Service "web", 5 minutes apart
      Then each of "a" and "b" has answered some of them

    @id:affinity.04 @core
    Scenario: A client whose Pod turns unready goes on with another
      Given the readiness gate of the Pod "b" has closed
      And a Service "web" with:
        | field                | value    |
        | spec.sessionAffinity | ClientIP |
      And connections from the Pod "client" to port 80 of the Service "web" are answered
      And the readiness gate of the Pod "b" has opened
      When the readiness gate of the Pod "a" closes
      Then within 60 seconds connections from the Pod "client" to port 80 of the Service "web" are answered by "b"
