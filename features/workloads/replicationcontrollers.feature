@needs:pods.run
Feature: ReplicationControllers
  The ReplicationController is what ReplicaSets were called in an older day. It knows equality of labels only, and keeps
  its number of Pods in the same way.

  @req:RS-7
  Rule: A ReplicationController keeps its number of Pods as a ReplicaSet does

    @id:replicationcontrollers.01 @core
    Scenario: A new ReplicationController gets as many Pods as it asks for
      When a ReplicationController "web" is created with:
        | field         | value |
        | spec.replicas | 3     |
      Then within 60 seconds the ReplicationController "web" has:
        | field                       | value |
        | status.replicas             | 3     |
        | status.fullyLabeledReplicas | 3     |
        | status.readyReplicas        | 3     |
        | status.availableReplicas    | 3     |
        | status.observedGeneration   | 1     |
      And for 5 seconds there are 3 ready Pods labelled "app=web"

    @id:replicationcontrollers.02 @core
    Scenario Outline: From <before> Pods to <after>
      Given a running ReplicationController "web" with:
        | field         | value    |
        | spec.replicas | <before> |
      When the scale of the ReplicationController "web" is updated:
        | field         | value   |
        | spec.replicas | <after> |
      Then within 60 seconds there are <after> Pods labelled "app=web"
      And within 30 seconds there are <after> ready Pods labelled "app=web"
      And for 5 seconds there are <after> ready Pods labelled "app=web"

      Examples:
        | before | after |
        | 1      | 3     |
        | 3      | 1     |
        | 1      | 0     |

    @id:replicationcontrollers.03 @core
    Scenario: A deleted Pod is replaced by another
      Given a running ReplicationController "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And the Pods labelled "app=web" are called "a" and "b"
      When the Pod "a" is deleted
      Then within 60 seconds there is no Pod "a"
      And within 60 seconds there are 2 ready Pods labelled "app=web"
      And there is a Pod "b"

    @id:replicationcontrollers.04 @core
    Scenario: An orphan is adopted, unless it lacks a label of the selector
      Given these running Pods:
        | name | labels              |
        | a    | app=web, tier=front |
        | b    | app=web             |
      When a ReplicationController "web" is created with:
        | field                         | value                   |
        | spec.replicas                 | 1                       |
        | spec.selector                 | {app: web, tier: front} |
        | spec.template.metadata.labels | {app: web, tier: front} |
      Then within 30 seconds the Pod "a" has:
        | field                                  | value                 |
        | metadata.ownerReferences[0].apiVersion | v1                    |
        | metadata.ownerReferences[0].kind       | ReplicationController |
        | metadata.ownerReferences[0].controller | true                  |
      And for 5 seconds there is 1 active Pod labelled "app=web,tier=front"
      And the Pod "b" has:
        | field                    | value    |
        | metadata.ownerReferences | (absent) |

    @id:replicationcontrollers.05 @core
    Scenario: A Pod with another label is let go and replaced
      Given a running ReplicationController "web"
      And the Pods labelled "app=web" are called "a"
      When the Pod "a" is updated:
        | field               | value |
        | metadata.labels.app | test  |
      Then within 30 seconds the Pod "a" has:
        | field                    | value    |
        | metadata.ownerReferences | (absent) |
      And within 60 seconds there is 1 ready Pod labelled "app=web"

    @id:replicationcontrollers.06 @core
    Scenario: A ReplicationController and a ReplicaSet of the same labels leave each other's Pods alone
      Given a running ReplicationController "web" with:
        | field         | value |
        | spec.replicas | 2     |
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 1     |
      Then within 60 seconds there are 3 ready Pods labelled "app=web"
      And for 5 seconds there are 3 active Pods labelled "app=web"
