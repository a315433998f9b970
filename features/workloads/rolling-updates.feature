@needs:pods.run
Feature: Rolling updates
  How fast the new Pods come and the old ones go, two numbers say: how many Pods there may be more than wanted while the
  exchange goes on, and how many may be missing. Each may be a share of the number that is wanted. A rollout whose new
  Pods do not become ready stops where these numbers let it go no further.

  @req:DEP-3 @req:DEP-4
  Rule: A rollout has at most so many Pods more, and at most so many fewer, than wanted

    @id:rolling-updates.01 @core
    Scenario Outline: Of <replicas> Pods at most <surge> more and <missing> fewer: <new> new ones beside <old> old ones
      Given a running Deployment "web" with:
        | field                                      | value      |
        | spec.replicas                              | <replicas> |
        | spec.strategy.rollingUpdate.maxSurge       | <surge>    |
        | spec.strategy.rollingUpdate.maxUnavailable | <missing>  |
      When the Deployment "web" is updated:
        | field                                 | value                                |
        | spec.template.metadata.labels.release | two                                  |
        | spec.template.spec.readinessGates     | [{conditionType: gherkube.dev/open}] |
      Then within 30 seconds there are <new> unready Pods labelled "app=web,release=two"
      And within 30 seconds there are <old> ready Pods labelled "app=web,!release"
      And for 5 seconds there are <old> ready Pods labelled "app=web"
      And for 5 seconds there are <new> active Pods labelled "app=web,release=two"

      Examples:
        | replicas | surge | missing | new | old |
        | 4        | 1     | 1       | 2   | 3   |
        | 4        | 0     | 2       | 2   | 2   |
        | 4        | 2     | 0       | 2   | 4   |
        | 3        | 3     | 0       | 3   | 3   |
        | 5        | 25%   | 25%     | 3   | 4   |
        | 3        | 10%   | 10%     | 1   | 3   |
        | 3        | 0     | 10%     | 1   | 2   |
        | 2        | 100%  | 0       | 2   | 2   |
        | 3        | 0     | 100%    | 3   | 0   |
        | 1        | 0     | 1       | 1   | 0   |

    @id:rolling-updates.02 @core
    Scenario: On its way a rollout never asks for more, nor has fewer that are ready
      Given a running Deployment "web" with:
        | field                                      | value |
        | spec.replicas                              | 5     |
        | spec.strategy.rollingUpdate.maxSurge       | 2     |
        | spec.strategy.rollingUpdate.maxUnavailable | 1     |
      And a watch of the ReplicaSets labelled "app=web"
      When the Deployment "web" is updated:
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      Then within 60 seconds there are 5 ready Pods labelled "app=web,release=two"
      And throughout the watch the ReplicaSets ask for at most 7 Pods

    @id:rolling-updates.03 @core
    Scenario: With none that may be missing all stay until others are ready
      Given a running Deployment "web" with:
        | field                                      | value |
        | spec.replicas                              | 4     |
        | spec.strategy.rollingUpdate.maxSurge       | 1     |
        | spec.strategy.rollingUpdate.maxUnavailable | 0     |
      And a watch of the Pods labelled "app=web"
      When the Deployment "web" is updated:
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      Then within 60 seconds there are 4 ready Pods labelled "app=web,release=two"
      And throughout the watch there are at least 4 ready Pods

    @id:rolling-updates.04 @core
    Scenario: A rollout goes on as the new Pods become ready
      Given a running Deployment "web" with:
        | field                                      | value |
        | spec.replicas                              | 2     |
        | spec.strategy.rollingUpdate.maxSurge       | 1     |
        | spec.strategy.rollingUpdate.maxUnavailable | 0     |
      And somebody has changed the Deployment "web":
        | field                                 | value                                |
        | spec.template.metadata.labels.release | two                                  |
        | spec.template.spec.readinessGates     | [{conditionType: gherkube.dev/open}] |
      And the Pods labelled "release=two" are called "first"
      When the readiness gate of the Pod "first" opens
      Then within 30 seconds there is 1 ready Pod labelled "app=web,!release"
      And within 30 seconds there is 1 unready Pod labelled "app=web,release=two"
      And for 5 seconds there are 2 ready Pods labelled "app=web"

    @id:rolling-updates.05 @core
    Scenario: New Pods count once they have been ready for long enough
      Given a running Deployment "web" with:
        | field                                      | value |
        | spec.replicas                              | 2     |
        | spec.strategy.rollingUpdate.maxSurge       | 1     |
        | spec.strategy.rollingUpdate.maxUnavailable | 0     |
      When the Deployment "web" is updated:
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
        | spec.minReadySeconds                  | 3600  |
        | spec.progressDeadlineSeconds          | 7200  |
      Then within 60 seconds there is 1 ready Pod labelled "app=web,release=two"
      And for 5 seconds there are 2 ready Pods labelled "app=web,!release"
      And for 5 seconds there is 1 ready Pod labelled "app=web,release=two"

    @id:rolling-updates.06 @core
    Scenario: Old Pods that are not ready anyway go first
      Given a running Deployment "web" with:
        | field                                      | value                                |
        | spec.replicas                              | 3                                    |
        | spec.strategy.rollingUpdate.maxSurge       | 0                                    |
        | spec.strategy.rollingUpdate.maxUnavailable | 1                                    |
        | spec.template.spec.readinessGates          | [{conditionType: gherkube.dev/open}] |
      And the Pods labelled "app=web" are called "a", "b" and "c"
      And the readiness gate of the Pod "b" has closed
      When the Deployment "web" is updated:
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      Then within 30 seconds there is no Pod "b"
      And within 30 seconds there is 1 unready Pod labelled "app=web,release=two"
      And for 5 seconds there are 2 ready Pods labelled "app=web,!release"

  @req:DEP-11
  Rule: A Deployment that recreates has all old Pods gone before the first new one comes

    @id:rolling-updates.07 @core
    Scenario: Old and new are never there together
      Given a running Deployment "web" with:
        | field                                 | value            |
        | spec.replicas                         | 3                |
        | spec.strategy                         | {type: Recreate} |
        | spec.template.metadata.labels.release | one              |
      And a watch of the Pods labelled "app=web"
      When the Deployment "web" is updated:
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      Then within 60 seconds there are 3 ready Pods labelled "app=web,release=two"
      And throughout the watch no unfinished Pod labelled "release=one" is there with one labelled "release=two"

    @id:rolling-updates.08 @core
    Scenario: It goes although the new Pods do not become ready
      Given a running Deployment "web" with:
        | field         | value            |
        | spec.replicas | 2                |
        | spec.strategy | {type: Recreate} |
      When the Deployment "web" is updated:
        | field                                 | value                                |
        | spec.template.metadata.labels.release | two                                  |
        | spec.template.spec.readinessGates     | [{conditionType: gherkube.dev/open}] |
      Then within 60 seconds there are 2 unready Pods labelled "app=web,release=two"
      And within 10 seconds there are 2 Pods labelled "app=web"

    @id:rolling-updates.09 @core
    Scenario: A Deployment that has come to recreate forgets its limits
      Given a running Deployment "web" with:
        | field         | value |
        | spec.replicas | 2     |
      When the Deployment "web" is updated:
        | field                                 | value            |
        | spec.strategy                         | {type: Recreate} |
        | spec.template.metadata.labels.release | two              |
      Then within 60 seconds there are 2 ready Pods labelled "app=web,release=two"
      And within 10 seconds there are 2 Pods labelled "app=web"

  @req:DEP-5
  Rule: A paused Deployment starts no rollout; resumed, it does

    @id:rolling-updates.10 @core
    Scenario: Another template waits
      Given a running Deployment "web" with:
        | field         | value |
        | spec.replicas | 2     |
        | spec.paused   | false |
      And somebody has changed the Deployment "web":
        | field       | value |
        | spec.paused | true  |
      When the Deployment "web" is updated:
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      Then within 30 seconds the Deployment "web" has:
        | field                                      | value            |
        | status.observedGeneration                  | 3                |
        | status.updatedReplicas                     | (absent)         |
        | status.conditions[type=Progressing].status | Unknown          |
        | status.conditions[type=Progressing].reason | DeploymentPaused |
      And for 5 seconds there are 2 ready Pods labelled "app=web,!release"
      And there are 1 ReplicaSets labelled "app=web"

    @id:rolling-updates.11 @core
    Scenario: Resumed, it is rolled out
      Given a running Deployment "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And somebody has changed the Deployment "web":
        | field                                 | value |
        | spec.paused                           | true  |
        | spec.template.metadata.labels.release | two   |
      And the Deployment "web" has come to have:
        | field                                      | value            |
        | status.conditions[type=Progressing].reason | DeploymentPaused |
      When the Deployment "web" is updated:
        | field       | value |
        | spec.paused | false |
      Then within 60 seconds the Deployment "web" has:
        | field                                      | value                  |
        | status.updatedReplicas                     | 2                      |
        | status.availableReplicas                   | 2                      |
        | status.conditions[type=Progressing].reason | NewReplicaSetAvailable |
      And within 10 seconds there are 2 ready Pods labelled "app=web,release=two"

    @id:rolling-updates.12 @core
    Scenario: A rollout that is paused stays where it is
      Given a running Deployment "web" with:
        | field                                      | value |
        | spec.replicas                              | 2     |
        | spec.strategy.rollingUpdate.maxUnavailable | 0     |
      And somebody has changed the Deployment "web":
        | field                                 | value                                |
        | spec.template.metadata.labels.release | two                                  |
        | spec.template.spec.readinessGates     | [{conditionType: gherkube.dev/open}] |
      And the Pods labelled "release=two" are called "first"
      And somebody has changed the Deployment "web":
        | field       | value |
        | spec.paused | true  |
      And the Deployment "web" has come to have:
        | field                     | value |
        | status.observedGeneration | 3     |
      When the readiness gate of the Pod "first" opens
      Then within 30 seconds the Deployment "web" has:
        | field                    | value |
        | status.availableReplicas | 3     |
      And for 5 seconds there are 2 ready Pods labelled "app=web,!release"
      And for 5 seconds there is 1 active Pod labelled "app=web,release=two"

    @id:rolling-updates.13 @core
    Scenario: A paused Deployment can be scaled
      Given a running Deployment "web"
      And somebody has changed the Deployment "web":
        | field                                 | value |
        | spec.paused                           | true  |
        | spec.template.metadata.labels.release | two   |
      When the scale of the Deployment "web" is updated:
        | field         | value |
        | spec.replicas | 3     |
      Then within 60 seconds there are 3 ready Pods labelled "app=web,!release"
      And for 5 seconds there is 1 active ReplicaSet labelled "app=web"

    @id:rolling-updates.14 @core
    Scenario: A Deployment that is created paused has nothing
      When a Deployment "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
        | spec.paused   | true  |
      Then within 30 seconds the Deployment "web" has:
        | field                     | value |
        | status.observedGeneration | 1     |
      And for 5 seconds there are no ReplicaSets labelled "app=web"

  @req:DEP-7
  Rule: A rollout that makes no progress within its deadline is reported

    @id:rolling-updates.15 @core
    Scenario: New Pods that do not become ready in time are no progress
      Given a running Deployment "web" with:
        | field                        | value |
        | spec.replicas                | 2     |
        | spec.progressDeadlineSeconds | 10    |
      When the Deployment "web" is updated:
        | field                             | value                                |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      Then within 60 seconds the Deployment "web" has:
        | field                                      | value                    |
        | status.conditions[type=Progressing].status | "False"                  |
        | status.conditions[type=Progressing].reason | ProgressDeadlineExceeded |
        | status.conditions[type=Available].status   | "True"                   |
      And for 5 seconds there are 2 ready Pods labelled "app=web"

    @id:rolling-updates.16 @core
    Scenario: A Deployment that never had a Pod that is ready makes no progress either
      When a Deployment "web" is created with:
        | field                             | value                                |
        | spec.replicas                     | 1                                    |
        | spec.progressDeadlineSeconds      | 5                                    |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      Then within 60 seconds the Deployment "web" has:
        | field                                      | value                    |
        | status.conditions[type=Progressing].status | "False"                  |
        | status.conditions[type=Progressing].reason | ProgressDeadlineExceeded |
        | status.conditions[type=Available].status   | "False"                  |

    @id:rolling-updates.17 @core
    Scenario: It is no longer reported once there is progress
      Given a Deployment "web" with:
        | field                             | value                                |
        | spec.replicas                     | 1                                    |
        | spec.progressDeadlineSeconds      | 5                                    |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      And the Deployment "web" has come to have:
        | field                                      | value                    |
        | status.conditions[type=Progressing].reason | ProgressDeadlineExceeded |
      And the Pods labelled "app=web" are called "a"
      When the readiness gate of the Pod "a" opens
      Then within 30 seconds the Deployment "web" has:
        | field                                      | value                  |
        | status.conditions[type=Progressing].status | "True"                 |
        | status.conditions[type=Progressing].reason | NewReplicaSetAvailable |

    @id:rolling-updates.18 @core
    Scenario: While a Deployment is paused no deadline runs out
      When a Deployment "web" is created with:
        | field                             | value |
        | spec.replicas                     | 1     |
        | spec.progressDeadlineSeconds      | 2     |
        | spec.paused                       | true  |
      Then within 30 seconds the Deployment "web" has:
        | field                                      | value            |
        | status.conditions[type=Progressing].reason | DeploymentPaused |
      And for 15 seconds the Deployment "web" still has:
        | field                                      | value            |
        | status.conditions[type=Progressing].reason | DeploymentPaused |
