@needs:pods.run
Feature: Whom a ReplicaSet counts
  A ReplicaSet selects Pods by their labels, and counts among them. What it counts is what it compares with the number
  that it is asked for.

  @req:SEL-1
  Rule: Those Pods count that match, are its own, and neither are on their way out nor have ended

    @id:counting.01 @core
    Scenario: Pods with other labels, or in other namespaces, do not count
      Given a Namespace "other"
      And these running Pods:
        | name | namespace | labels  |
        | a    | home      | app=web |
        | b    | home      | app=db  |
        | c    | other     | app=web |
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 60 seconds there are 2 ready Pods labelled "app=web"
      And within 30 seconds the ReplicaSet "web" has:
        | field           | value |
        | status.replicas | 2     |
      And the Pod "c" in namespace "other" has:
        | field                    | value    |
        | metadata.ownerReferences | (absent) |

    @id:counting.02 @core
    Scenario: Pods of another ReplicaSet do not count
      Given a ReplicaSet "other" with:
        | field         | value |
        | spec.replicas | 2     |
      And the ReplicaSet "other" has rolled out
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 1     |
      Then within 60 seconds there are 3 ready Pods labelled "app=web"
      And within 30 seconds the ReplicaSet "web" has:
        | field           | value |
        | status.replicas | 1     |
      And within 30 seconds the ReplicaSet "other" has:
        | field           | value |
        | status.replicas | 2     |

    @id:counting.03 @core
    Scenario: A Pod on its way out does not count
      Given these running Pods:
        | name | labels  | stops  |
        | slow | app=web | slowly |
      And a running ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 1     |
      When the Pod "slow" is deleted
      Then within 30 seconds there is 1 ready Pod labelled "app=web"
      And for 5 seconds the ReplicaSet "web" still has:
        | field           | value |
        | status.replicas | 1     |
      And there are 2 Pods labelled "app=web"

    @id:counting.04 @core
    Scenario: A Pod that has failed does not count
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a running ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 1     |
      When the Pod "a" is updated:
        | field                      | value |
        | spec.activeDeadlineSeconds | 1     |
      Then within 40 seconds the Pod "a" has:
        | field        | value  |
        | status.phase | Failed |
      And within 40 seconds there is 1 ready Pod labelled "app=web"
      And within 20 seconds the ReplicaSet "web" has:
        | field           | value |
        | status.replicas | 1     |
      And for 5 seconds the ReplicaSet "web" still has:
        | field           | value |
        | status.replicas | 1     |
      And there are 2 Pods labelled "app=web"

  @req:SEL-5
  Rule: Which Pods match, expressions say as well as labels

    @id:counting.05 @core
    Scenario Outline: <what> the Pods that match go, and the others stay
      Given these running Pods:
        | name | labels              |
        | a    | app=web, tier=front |
        | b    | app=web, tier=back  |
        | c    | app=web             |
        | d    | app=db, tier=front  |
      When a ReplicaSet "web" is created with:
        """
        spec:
          replicas: 0
          selector:
            matchLabels: {app: web}
            matchExpressions:
              - {key: tier, operator: <operator>, values: <values>}
          template:
            metadata: {labels: <template>}
        """
      Then within 30 seconds the only Pods are <left>

      Examples:
        | what                             | operator     | values        | template                | left              |
        | With one of two values           | In           | [front, side] | {app: web, tier: front} | "b", "c" and "d" |
        | Without a value, or the label    | NotIn        | [front]       | {app: web, tier: back}  | "a" and "d"       |
        | With the label                   | Exists       | []            | {app: web, tier: front} | "c" and "d"       |
        | Without the label                | DoesNotExist | []            | {app: web, tier: null}  | "a", "b" and "d" |
