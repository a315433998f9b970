@needs:pods.run
Feature: Deployments
  A Deployment keeps Pods of a template, and when the template changes it exchanges them. It makes no Pod itself: for
  each template it has a ReplicaSet, lets the new one grow and the old ones shrink.

  @req:DEP-1
  Rule: The Pods of a Deployment have names that nobody had before

    @id:deployments.01 @core
    Scenario: A Pod's name is that of its ReplicaSet, with a suffix that is new each time
      Given a running Deployment "web" with:
        | field         | value |
        | spec.replicas | 2     |
      When the Pods labelled "app=web" are listed
      Then the list holds 2 objects, each once
      And each object of the list has:
        | field                              | value                         |
        | metadata.name                      | /web-[a-z0-9]+-[a-z0-9]{5}/   |
        | metadata.generateName              | /web-[a-z0-9]+-/              |
        | metadata.labels.pod-template-hash  | /[a-z0-9]+/                   |
        | metadata.ownerReferences[0].kind   | ReplicaSet                    |

    @id:deployments.02 @core
    Scenario: A Pod that is replaced does not come back under its name
      Given a running Deployment "web"
      And the Pods labelled "app=web" are called "first"
      When the Pod "first" is deleted
      Then within 30 seconds there is no Pod "first"
      And within 60 seconds there is 1 ready Pod labelled "app=web"
      And for 5 seconds there is no Pod "first"

    @id:deployments.03 @core
    Scenario: The ReplicaSet carries the hash of its template, and selects by it
      Given a running Deployment "web"
      When the ReplicaSets labelled "app=web" are listed
      Then the list holds 1 objects, each once
      And each object of the list has:
        | field                                                                    | value           |
        | metadata.name                                                            | /web-[a-z0-9]+/ |
        | metadata.labels.pod-template-hash                                        | /[a-z0-9]+/     |
        | spec.selector.matchLabels.app                                            | web             |
        | spec.selector.matchLabels.pod-template-hash                              | /[a-z0-9]+/     |
        | spec.template.metadata.labels.pod-template-hash                          | /[a-z0-9]+/     |
        | metadata.ownerReferences[0].kind                                         | Deployment      |
        | metadata.ownerReferences[0].name                                         | web             |
        | metadata.ownerReferences[0].controller                                   | true            |
        | metadata.annotations["deployment.kubernetes.io/revision"]                | "1"             |
        | metadata.annotations["deployment.kubernetes.io/desired-replicas"]        | "1"             |

  @req:DEP-2
  Rule: A Pod has no address before its sandbox exists

    @id:deployments.04 @core
    Scenario: A Pod that waits for a node has none
      When a Deployment "web" is created with:
        | field                              | value                       |
        | spec.replicas                      | 1                           |
        | spec.template.spec.schedulingGates | [{name: gherkube.dev/wait}] |
      Then within 30 seconds there is 1 active Pod labelled "app=web"
      And for 5 seconds there is 1 active Pod labelled "app=web" where "status.podIP="

    @id:deployments.05 @core
    Scenario: A Pod that runs has one
      Given a Deployment "web" with:
        | field                              | value                       |
        | spec.replicas                      | 1                           |
        | spec.template.spec.schedulingGates | [{name: gherkube.dev/wait}] |
      And the Pods labelled "app=web" are called "a"
      When the Pod "a" is updated:
        | field                | value |
        | spec.schedulingGates | []    |
      Then within 60 seconds the Pod "a" has:
        | field                | value           |
        | spec.nodeName        | (present)       |
        | status.podIP         | /[0-9a-f.:]+/   |
        | status.podIPs[0].ip  | /[0-9a-f.:]+/   |

  @req:RS-6
  Rule: Another template replaces the Pods

    @id:deployments.06 @core
    Scenario: Another image is rolled out by another ReplicaSet
      Given a running Deployment "web" with:
        | field         | value |
        | spec.replicas | 3     |
      And the ReplicaSets labelled "app=web" are called "old"
      When the Deployment "web" is updated:
        | field                                  | value                     |
        | spec.template.spec.containers[0].image | registry.k8s.io/pause:3.9 |
      Then within 60 seconds the Deployment "web" has:
        | field                      | value |
        | status.observedGeneration  | 2     |
        | status.replicas            | 3     |
        | status.updatedReplicas     | 3     |
        | status.availableReplicas   | 3     |
      And within 10 seconds the ReplicaSet "old" has:
        | field           | value |
        | spec.replicas   | 0     |
        | status.replicas | 0     |
      And there are 2 ReplicaSets labelled "app=web"

    @id:deployments.07 @core
    Scenario: The Pods are then of the new template
      Given a running Deployment "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And somebody has changed the Deployment "web":
        | field                                  | value                     |
        | spec.template.spec.containers[0].image | registry.k8s.io/pause:3.9 |
      And the Deployment "web" has rolled out
      And the Pods labelled "app=web" are called "a" and "b"
      When the Pod "b" is read
      Then the answer has:
        | field                    | value                     |
        | spec.containers[0].image | registry.k8s.io/pause:3.9 |

    @id:deployments.08 @core
    Scenario Outline: A change of <field> exchanges no Pod
      Given a running Deployment "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And the Pods labelled "app=web" are called "a" and "b"
      When the Deployment "web" is updated:
        | field   | value   |
        | <field> | <value> |
      Then within 30 seconds the Deployment "web" has:
        | field                     | value        |
        | status.observedGeneration | <generation> |
      And for 5 seconds there are 2 ready Pods labelled "app=web"
      And the only Pods labelled "app=web" are "a" and "b"
      And there are 1 ReplicaSets labelled "app=web"

      Examples:
        | field                     | value  | generation |
        | metadata.labels.color     | blue   | 1          |
        | spec.minReadySeconds      | 1      | 2          |
        | spec.revisionHistoryLimit | 2      | 2          |
        | spec.strategy.rollingUpdate.maxSurge | 3 | 2     |

    @id:deployments.09 @core
    Scenario: A Pod that does not become ready takes no old one's place
      Given a running Deployment "web" with:
        | field                                      | value |
        | spec.replicas                              | 2     |
        | spec.strategy.rollingUpdate.maxUnavailable | 0     |
        | spec.strategy.rollingUpdate.maxSurge       | 1     |
      And the Pods labelled "app=web" are called "a" and "b"
      When the Deployment "web" is updated:
        | field                             | value                                |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      Then within 30 seconds there is 1 unready Pod labelled "app=web"
      And for 5 seconds there are 2 ready Pods labelled "app=web"
      And there is a Pod "a"
      And there is a Pod "b"

    @id:deployments.10 @core
    Scenario: A template that comes in the midst of a rollout takes its place
      Given a running Deployment "web" with:
        | field                                      | value |
        | spec.replicas                              | 2     |
        | spec.strategy.rollingUpdate.maxUnavailable | 0     |
      And somebody has changed the Deployment "web":
        | field                                  | value                                |
        | spec.template.metadata.labels.release  | two                                  |
        | spec.template.spec.readinessGates      | [{conditionType: gherkube.dev/open}] |
      And the Pods labelled "release=two" are called "stuck"
      When the Deployment "web" is updated:
        | field                                 | value    |
        | spec.template.metadata.labels.release | three    |
        | spec.template.spec.readinessGates     | (absent) |
      Then within 60 seconds there are 2 ready Pods labelled "release=three"
      And within 30 seconds there is no Pod "stuck"
      And within 10 seconds there are 2 Pods labelled "app=web"

  @req:DEP-8
  Rule: Scaling a Deployment is no rollout

    @id:deployments.11 @core
    Scenario Outline: From <before> Pods to <after>
      Given a running Deployment "web" with:
        | field         | value    |
        | spec.replicas | <before> |
      When the scale of the Deployment "web" is updated:
        | field         | value   |
        | spec.replicas | <after> |
      Then within 60 seconds the Deployment "web" has:
        | field                     | value   |
        | status.observedGeneration | 2       |
        | spec.replicas             | <after> |
      And within 50 seconds there are <after> ready Pods labelled "app=web"
      And for 5 seconds there are <after> active Pods labelled "app=web"
      And there are 1 ReplicaSets labelled "app=web"

      Examples:
        | before | after |
        | 1      | 4     |
        | 4      | 2     |
        | 2      | 0     |
        | 0      | 1     |

    @id:deployments.12 @core
    Scenario: A ReplicaSet that somebody scales is scaled back
      Given a running Deployment "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And the ReplicaSets labelled "app=web" are called "set"
      When the scale of the ReplicaSet "set" is updated:
        | field         | value |
        | spec.replicas | 5     |
      Then within 30 seconds the ReplicaSet "set" has:
        | field           | value |
        | spec.replicas   | 2     |
        | status.replicas | 2     |
      And within 30 seconds there are 2 active Pods labelled "app=web"

    @id:deployments.13 @core
    Scenario: A rollout that is under way grows in proportion
      Given a running Deployment "web" with:
        | field                                      | value |
        | spec.replicas                              | 10    |
        | spec.strategy.rollingUpdate.maxSurge       | 3     |
        | spec.strategy.rollingUpdate.maxUnavailable | 2     |
      And somebody has changed the Deployment "web":
        | field                                 | value                                |
        | spec.template.metadata.labels.release | two                                  |
        | spec.template.spec.readinessGates     | [{conditionType: gherkube.dev/open}] |
      And the Deployment "web" has come to have:
        | field                    | value |
        | status.replicas          | 13    |
        | status.updatedReplicas   | 5     |
        | status.availableReplicas | 8     |
      When the scale of the Deployment "web" is updated:
        | field         | value |
        | spec.replicas | 15    |
      Then within 60 seconds the Deployment "web" has:
        | field                    | value |
        | status.replicas          | 18    |
        | status.updatedReplicas   | 7     |
        | status.availableReplicas | 11    |

  @req:DEP-9
  Rule: The status tells how far a Deployment is, and whether enough of it is available

    @id:deployments.14 @core
    Scenario: A Deployment that has all its Pods is available and has progressed
      When a Deployment "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 60 seconds the Deployment "web" has:
        | field                                      | value                     |
        | status.observedGeneration                  | 1                         |
        | status.replicas                            | 2                         |
        | status.updatedReplicas                     | 2                         |
        | status.readyReplicas                       | 2                         |
        | status.availableReplicas                   | 2                         |
        | status.unavailableReplicas                 | (absent)                  |
        | status.conditions[type=Available].status   | "True"                    |
        | status.conditions[type=Available].reason   | MinimumReplicasAvailable  |
        | status.conditions[type=Progressing].status | "True"                    |
        | status.conditions[type=Progressing].reason | NewReplicaSetAvailable    |

    @id:deployments.15 @core
    Scenario: A Deployment whose Pods are not ready is not available
      When a Deployment "web" is created with:
        | field                             | value                                |
        | spec.replicas                     | 2                                    |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      Then within 60 seconds the Deployment "web" has:
        | field                                      | value                      |
        | status.replicas                            | 2                          |
        | status.readyReplicas                       | (absent)                   |
        | status.availableReplicas                   | (absent)                   |
        | status.unavailableReplicas                 | 2                          |
        | status.conditions[type=Available].status   | "False"                    |
        | status.conditions[type=Available].reason   | MinimumReplicasUnavailable |
        | status.conditions[type=Progressing].status | "True"                     |

    @id:deployments.16 @core
    Scenario: A Deployment is available when as many are as a rollout would leave
      Given a Deployment "web" with:
        | field                                      | value                                |
        | spec.replicas                              | 2                                    |
        | spec.strategy.rollingUpdate.maxUnavailable | 1                                    |
        | spec.template.spec.readinessGates          | [{conditionType: gherkube.dev/open}] |
      And the Pods labelled "app=web" are called "a" and "b"
      When the readiness gate of the Pod "a" opens
      Then within 30 seconds the Deployment "web" has:
        | field                                      | value             |
        | status.readyReplicas                       | 1                 |
        | status.availableReplicas                   | 1                 |
        | status.unavailableReplicas                 | 1                 |
        | status.conditions[type=Available].status   | "True"            |
        | status.conditions[type=Progressing].reason | ReplicaSetUpdated |

    @id:deployments.17 @core
    Scenario: Where Pods are refused, the Deployment says so
      Given a ResourceQuota "few" with:
        | field     | value       |
        | spec.hard | {pods: "1"} |
      When a Deployment "web" is created with:
        | field         | value |
        | spec.replicas | 3     |
      Then within 60 seconds the Deployment "web" has:
        | field                                         | value        |
        | status.replicas                               | 1            |
        | status.unavailableReplicas                    | 2            |
        | status.conditions[type=ReplicaFailure].status | "True"       |
        | status.conditions[type=ReplicaFailure].reason | FailedCreate |

  @req:DEP-10
  Rule: A Deployment adopts ReplicaSets that match, and lets go those that do not

    @id:deployments.18 @core
    Scenario: A ReplicaSet of the same template becomes the Deployment's, with its Pods
      Given a running ReplicaSet "before" with:
        | field           | value      |
        | metadata.labels | {app: web} |
        | spec.replicas   | 2          |
      And the Pods labelled "app=web" are called "a" and "b"
      When a Deployment "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 30 seconds the ReplicaSet "before" has:
        | field                                                     | value      |
        | metadata.ownerReferences[0].kind                          | Deployment |
        | metadata.ownerReferences[0].controller                    | true       |
        | metadata.annotations["deployment.kubernetes.io/revision"] | "1"        |
      And within 30 seconds the Deployment "web" has:
        | field                    | value |
        | status.updatedReplicas   | 2     |
        | status.availableReplicas | 2     |
      And the only Pods labelled "app=web" are "a" and "b"
      And there are 1 ReplicaSets labelled "app=web"

    @id:deployments.19 @core
    Scenario: A ReplicaSet of another template is rolled over
      Given a running ReplicaSet "before" with:
        | field                                 | value      |
        | metadata.labels                       | {app: web} |
        | spec.replicas                         | 2          |
        | spec.template.metadata.labels.release | one        |
      When a Deployment "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 60 seconds the ReplicaSet "before" has:
        | field                            | value      |
        | metadata.ownerReferences[0].kind | Deployment |
        | spec.replicas                    | 0          |
        | status.replicas                  | 0          |
      And within 30 seconds there are 2 ready Pods labelled "app=web"

    @id:deployments.20 @core
    Scenario: The name of a ReplicaSet that was let go is taken, so the next one gets another
      Given a running Deployment "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And the ReplicaSets labelled "app=web" are called "first"
      When the ReplicaSet "first" is updated:
        | field               | value |
        | metadata.labels.app | other |
      Then within 30 seconds the ReplicaSet "first" has:
        | field                    | value    |
        | metadata.ownerReferences | (absent) |
        | spec.replicas            | 2        |
      And within 60 seconds the Deployment "web" has:
        | field                    | value |
        | status.collisionCount    | 1     |
        | status.updatedReplicas   | 2     |
        | status.availableReplicas | 2     |
      And there are 1 ReplicaSets labelled "app=web"
