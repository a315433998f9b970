@needs:pods.run
Feature: Revisions of a Deployment
  The ReplicaSets of earlier templates stay, without Pods: they are the history of a Deployment, and the way back. Each
  has the number of the revision at which its template was last the Deployment's.

  @req:DEP-6
  Rule: To restore an earlier template is to use its ReplicaSet again

    @id:revisions.01 @core
    Scenario: The first ReplicaSet grows again and gets the newest revision
      Given a running Deployment "web" with:
        | field                                 | value |
        | spec.replicas                         | 2     |
        | spec.template.metadata.labels.release | one   |
      And the ReplicaSets labelled "app=web" are called "first"
      And somebody has changed the Deployment "web":
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      And the Deployment "web" has rolled out
      When the Deployment "web" is updated:
        | field                                 | value |
        | spec.template.metadata.labels.release | one   |
      Then within 60 seconds the ReplicaSet "first" has:
        | field                                                             | value |
        | spec.replicas                                                     | 2     |
        | status.availableReplicas                                          | 2     |
        | metadata.annotations["deployment.kubernetes.io/revision"]         | "3"   |
        | metadata.annotations["deployment.kubernetes.io/revision-history"] | "1"   |
      And within 10 seconds the Deployment "web" has:
        | field                                                     | value |
        | metadata.annotations["deployment.kubernetes.io/revision"] | "3"   |
        | status.updatedReplicas                                    | 2     |
      And there are 2 ReplicaSets labelled "app=web"

    @id:revisions.02 @core
    Scenario: A rollout that is stuck can be taken back
      Given a running Deployment "web" with:
        | field                                      | value |
        | spec.replicas                              | 2     |
        | spec.strategy.rollingUpdate.maxUnavailable | 0     |
      And the Pods labelled "app=web" are called "a" and "b"
      And somebody has changed the Deployment "web":
        | field                             | value                                |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      And the Deployment "web" has come to have:
        | field                  | value |
        | status.replicas        | 3     |
        | status.updatedReplicas | 1     |
      When the Deployment "web" is updated:
        | field                             | value    |
        | spec.template.spec.readinessGates | (absent) |
      Then within 60 seconds the Deployment "web" has:
        | field                    | value |
        | status.replicas          | 2     |
        | status.updatedReplicas   | 2     |
        | status.availableReplicas | 2     |
      And within 10 seconds the only Pods labelled "app=web" are "a" and "b"

  @req:DEP-12
  Rule: Every template has a revision, and as many old ones are kept as asked for

    @id:revisions.03 @core
    Scenario: The next template has the next revision
      Given a running Deployment "web"
      And the ReplicaSets labelled "app=web" are called "first"
      When the Deployment "web" is updated:
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      Then within 60 seconds the Deployment "web" has:
        | field                                                     | value |
        | metadata.annotations["deployment.kubernetes.io/revision"] | "2"   |
        | status.updatedReplicas                                    | 1     |
      And the ReplicaSet "first" has:
        | field                                                     | value |
        | metadata.annotations["deployment.kubernetes.io/revision"] | "1"   |
      And there are 2 ReplicaSets labelled "app=web"

    @id:revisions.04 @core
    Scenario Outline: With a limit of <limit>, after three templates <left> ReplicaSets are left
      Given a running Deployment "web" with:
        | field                                 | value   |
        | spec.replicas                         | 1       |
        | spec.revisionHistoryLimit             | <limit> |
        | spec.template.metadata.labels.release | one     |
      And somebody has changed the Deployment "web":
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      And the Deployment "web" has rolled out
      When the Deployment "web" is updated:
        | field                                 | value |
        | spec.template.metadata.labels.release | three |
      Then within 60 seconds there is 1 ready Pod labelled "app=web,release=three"
      And within 30 seconds there are <left> ReplicaSets labelled "app=web"
      And for 5 seconds there are <left> active ReplicaSets labelled "app=web"
      And there are <first> ReplicaSets labelled "release=one"

      Examples:
        | limit | left | first |
        | 0     | 1    | 0     |
        | 1     | 2    | 0     |
        | 2     | 3    | 1     |
        | 10    | 3    | 1     |

    @id:revisions.05 @core
    Scenario: What still has Pods is no history yet
      Given a running Deployment "web" with:
        | field                                      | value |
        | spec.replicas                              | 2     |
        | spec.revisionHistoryLimit                  | 0     |
        | spec.strategy.rollingUpdate.maxUnavailable | 0     |
      When the Deployment "web" is updated:
        | field                                 | value                                |
        | spec.template.metadata.labels.release | two                                  |
        | spec.template.spec.readinessGates     | [{conditionType: gherkube.dev/open}] |
      Then within 30 seconds there is 1 unready Pod labelled "app=web,release=two"
      And for 5 seconds there are 2 active ReplicaSets labelled "app=web"

    @id:revisions.06 @core
    Scenario: The annotations of a Deployment are those of its newest ReplicaSet
      Given a running Deployment "web"
      And the ReplicaSets labelled "app=web" are called "first"
      When the Deployment "web" is updated:
        | field                                                  | value          |
        | metadata.annotations["kubernetes.io/change-cause"]     | a good reason  |
      Then within 30 seconds the ReplicaSet "first" has:
        | field                                                     | value         |
        | metadata.annotations["kubernetes.io/change-cause"]        | a good reason |
        | metadata.annotations["deployment.kubernetes.io/revision"] | "1"           |
