@needs:pods.run
Feature: Adoption and release
  A ReplicaSet knows its Pods by their labels and owns them by a reference. What matches and belongs to nobody it takes
  for its own; what no longer matches it lets go. So Pods can change hands while they run.

  @req:RS-5
  Rule: A Pod that matches and has no controller is adopted

    @id:adoption.01 @core
    Scenario: An orphan is adopted and counted
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 30 seconds the Pod "a" has:
        | field                                          | value      |
        | metadata.ownerReferences[0].kind               | ReplicaSet |
        | metadata.ownerReferences[0].name               | web        |
        | metadata.ownerReferences[0].controller         | true       |
        | metadata.ownerReferences[0].blockOwnerDeletion | true       |
      And within 60 seconds there are 2 ready Pods labelled "app=web"
      And for 5 seconds there are 2 active Pods labelled "app=web"

    @id:adoption.02 @core
    Scenario: A Pod that comes to match is adopted
      Given a running ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 0     |
      And these running Pods:
        | name | labels |
        | a    | app=db |
      When the Pod "a" is updated:
        | field               | value |
        | metadata.labels.app | web   |
      Then within 30 seconds there is no Pod "a"

    @id:adoption.03 @core
    Scenario: A Pod that another object owns, but none controls, is adopted, too
      Given a ConfigMap "whole"
      And a Pod "a" owned by:
        | owner             |
        | ConfigMap "whole" |
      And somebody has changed the Pod "a":
        | field               | value |
        | metadata.labels.app | web   |
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 1     |
      Then within 30 seconds the Pod "a" has:
        | field                                                      | value |
        | metadata.ownerReferences[kind=ReplicaSet].controller       | true  |
        | metadata.ownerReferences[kind=ConfigMap].name              | whole |
      And for 5 seconds there is 1 active Pod labelled "app=web"

    @id:adoption.04 @core
    Scenario: Two ReplicaSets that select the same Pods leave each other's alone
      Given a running ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And the Pods labelled "app=web" are called "a" and "b"
      When a ReplicaSet "other" is created with:
        | field         | value |
        | spec.replicas | 1     |
      Then within 60 seconds there are 3 ready Pods labelled "app=web"
      And for 5 seconds there are 3 active Pods labelled "app=web"
      And the Pod "a" has:
        | field                            | value |
        | metadata.ownerReferences[0].name | web   |

    @id:adoption.05 @core
    Scenario: A Pod on its way out is not adopted
      Given these running Pods:
        | name | labels  | stops  |
        | slow | app=web | slowly |
      And somebody has deleted the Pod "slow"
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 1     |
      Then within 60 seconds there is 1 ready Pod labelled "app=web"
      And the Pod "slow" has:
        | field                    | value    |
        | metadata.ownerReferences | (absent) |

    @id:adoption.06 @core
    Scenario: A ReplicaSet takes over what another has left behind
      Given a running ReplicaSet "old" with:
        | field         | value |
        | spec.replicas | 2     |
      And the Pods labelled "app=web" are called "a" and "b"
      And somebody has deleted the ReplicaSet "old" with the propagation "Orphan"
      And the ReplicaSet "old" has gone
      When a ReplicaSet "new" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 30 seconds the Pod "a" has:
        | field                            | value |
        | metadata.ownerReferences[0].name | new   |
      And for 5 seconds there are 2 ready Pods labelled "app=web"
      And the only Pods labelled "app=web" are "a" and "b"

  @req:RS-5
  Rule: A Pod that no longer matches is let go, and replaced

    @id:adoption.07 @core
    Scenario: A Pod with another label is nobody's, and runs on
      Given a running ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And the Pods labelled "app=web" are called "a" and "b"
      When the Pod "a" is updated:
        | field               | value |
        | metadata.labels.app | test  |
      Then within 30 seconds the Pod "a" has:
        | field                                | value    |
        | metadata.ownerReferences             | (absent) |
        | status.conditions[type=Ready].status | "True"   |
      And within 60 seconds there are 2 ready Pods labelled "app=web"
      And there is a Pod "a"

    @id:adoption.08 @core
    Scenario: One that comes back is adopted again, and then there is one too many
      Given a running ReplicaSet "web"
      And the Pods labelled "app=web" are called "a"
      And somebody has changed the Pod "a":
        | field               | value |
        | metadata.labels.app | test  |
      And the Pods labelled "app=web" are called "b"
      When the Pod "a" is updated:
        | field               | value |
        | metadata.labels.app | web   |
      Then within 60 seconds there is 1 active Pod labelled "app=web"
      And for 5 seconds there is 1 active Pod labelled "app=web"
