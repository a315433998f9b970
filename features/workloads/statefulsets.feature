@needs:pods.run
Feature: StatefulSets
  The Pods of a StatefulSet are members with a number each, which they keep: whoever takes a member's place gets its
  name, its place in the network and its claims. Members come in the order of their numbers, and go in the reverse.

  @req:STS-1
  Rule: A member keeps its identity through every replacement

    @id:statefulsets.01 @core
    Scenario: Members are named and numbered from nought
      When a StatefulSet "web" is created with:
        | field         | value |
        | spec.replicas | 3     |
      Then within 60 seconds there are 3 ready Pods labelled "app=web"
      And the only Pods labelled "app=web" are "web-0", "web-1" and "web-2"
      And the Pod "web-2" has:
        | field                                                 | value       |
        | metadata.labels["statefulset.kubernetes.io/pod-name"] | web-2       |
        | metadata.labels["apps.kubernetes.io/pod-index"]       | "2"         |
        | metadata.labels.controller-revision-hash              | /web-.+/    |
        | metadata.ownerReferences[0].kind                      | StatefulSet |
        | metadata.ownerReferences[0].controller                | true        |
        | spec.hostname                                         | web-2       |
        | spec.subdomain                                        | web         |

    @id:statefulsets.02 @core
    Scenario: A member that is deleted comes back as another Pod of its name
      Given a running StatefulSet "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And the uid of the Pod "web-1" is called "first"
      When the Pod "web-1" is deleted with:
        | option | value |
        | uid    | first |
      Then within 60 seconds there are 2 ready Pods labelled "app=web"
      And the only Pods labelled "app=web" are "web-0" and "web-1"
      And the Pod "web-1" no longer has the uid "first"
      And the Pod "web-1" has:
        | field         | value |
        | spec.hostname | web-1 |

    @id:statefulsets.03 @core
    Scenario: A member that fails is made again
      Given a running StatefulSet "web"
      And the uid of the Pod "web-0" is called "first"
      When the Pod "web-0" is updated:
        | field                      | value |
        | spec.activeDeadlineSeconds | 1     |
      Then within 60 seconds the Pod "web-0" has:
        | field                               | value    |
        | spec.activeDeadlineSeconds          | (absent) |
        | status.conditions[type=Ready].status | "True"  |
      And the Pod "web-0" no longer has the uid "first"

    @id:statefulsets.04 @core
    Scenario: A member that loses the label of its name gets it again
      Given a running StatefulSet "web"
      When the Pod "web-0" is updated:
        | field                                                 | value    |
        | metadata.labels["statefulset.kubernetes.io/pod-name"] | (absent) |
      Then within 30 seconds the Pod "web-0" has:
        | field                                                 | value |
        | metadata.labels["statefulset.kubernetes.io/pod-name"] | web-0 |

    @id:statefulsets.05 @core
    Scenario: An orphan with a member's name and labels becomes that member
      Given these running Pods:
        | name  | labels  |
        | web-0 | app=web |
        | web-x | app=web |
      And the uid of the Pod "web-0" is called "first"
      When a StatefulSet "web" is created with:
        | field                    | value    |
        | spec.replicas            | 2        |
        | spec.updateStrategy.type | OnDelete |
      Then within 60 seconds the only Pods labelled "app=web" are "web-0", "web-1" and "web-x"
      And within 30 seconds the Pod "web-0" has:
        | field                            | value       |
        | metadata.ownerReferences[0].kind | StatefulSet |
      And the Pod "web-x" has:
        | field                    | value    |
        | metadata.ownerReferences | (absent) |

    @id:statefulsets.06 @core
    Scenario: Members may be numbered from another number on
      Given a running StatefulSet "web" with:
        | field         | value |
        | spec.replicas | 2     |
      When the StatefulSet "web" is updated:
        | field               | value |
        | spec.ordinals.start | 1     |
      Then within 60 seconds the only Pods labelled "app=web" are "web-1" and "web-2"
      And within 30 seconds there are 2 ready Pods labelled "app=web"

    @id:statefulsets.07 @core
    Scenario: A Pod of a member's name that does not match keeps the member from being made
      Given a Pod "web-0" with:
        | field                | value                       |
        | metadata.labels      | {app: other}                |
        | spec.schedulingGates | [{name: gherkube.dev/wait}] |
      When a StatefulSet "web" is created with:
        | field         | value |
        | spec.replicas | 1     |
      Then for 5 seconds there are no Pods labelled "app=web"
      And the Pod "web-0" has:
        | field                    | value    |
        | metadata.ownerReferences | (absent) |

  @req:STS-4
  Rule: Members come in order, each when those before it are ready

    @id:statefulsets.08 @core
    Scenario: One after the other
      Given a watch of the Pods labelled "app=web"
      When a StatefulSet "web" is created with:
        | field         | value |
        | spec.replicas | 3     |
      Then within 60 seconds the watch shows in this order:
        | event | name  |
        | added | web-0 |
        | ready | web-0 |
        | added | web-1 |
        | ready | web-1 |
        | added | web-2 |
        | ready | web-2 |

    @id:statefulsets.09 @core
    Scenario: While a member is not ready the next one does not come
      When a StatefulSet "web" is created with:
        | field                             | value                                |
        | spec.replicas                     | 3                                    |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      Then within 60 seconds there is 1 unready Pod labelled "app=web"
      And for 5 seconds there is 1 active Pod labelled "app=web"
      And the only Pods labelled "app=web" are "web-0"

    @id:statefulsets.10 @core
    Scenario: Once it is ready the next one comes, and no other
      Given a StatefulSet "web" with:
        | field                             | value                                |
        | spec.replicas                     | 3                                    |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      And the Pods labelled "app=web" are called "web-0"
      When the readiness gate of the Pod "web-0" opens
      Then within 60 seconds the only Pods labelled "app=web" are "web-0" and "web-1"
      And for 5 seconds there are 2 active Pods labelled "app=web"

    @id:statefulsets.11 @core
    Scenario: A member must have been ready for as long as the StatefulSet asks
      When a StatefulSet "web" is created with:
        | field                | value |
        | spec.replicas        | 2     |
        | spec.minReadySeconds | 3600  |
      Then within 60 seconds there is 1 ready Pod labelled "app=web"
      And for 5 seconds there is 1 active Pod labelled "app=web"

    @id:statefulsets.12 @core
    Scenario: A gap is filled before a member is added
      Given a running StatefulSet "web" with:
        | field                                            | value                                |
        | spec.replicas                                    | 2                                    |
        | spec.template.spec.readinessGates                | [{conditionType: gherkube.dev/open}] |
        | spec.template.spec.terminationGracePeriodSeconds | 0                                    |
      And somebody has deleted the Pod "web-0"
      And the StatefulSet "web" has come to have:
        | field                | value |
        | status.replicas      | 2     |
        | status.readyReplicas | 1     |
      When the scale of the StatefulSet "web" is updated:
        | field         | value |
        | spec.replicas | 4     |
      Then for 5 seconds there are 2 active Pods labelled "app=web"
      And the only Pods labelled "app=web" are "web-0" and "web-1"

  @req:STS-6
  Rule: Members go in reverse order, one at a time

    @id:statefulsets.13 @core
    Scenario: The last one first, and the next when it is gone
      Given a running StatefulSet "web" with:
        | field         | value |
        | spec.replicas | 3     |
      And a watch of the Pods labelled "app=web"
      When the scale of the StatefulSet "web" is updated:
        | field         | value |
        | spec.replicas | 1     |
      Then within 60 seconds the watch shows in this order:
        | event       | name  |
        | terminating | web-2 |
        | deleted     | web-2 |
        | terminating | web-1 |
        | deleted     | web-1 |
      And for 5 seconds there is 1 ready Pod labelled "app=web"

    @id:statefulsets.14 @core
    Scenario: A StatefulSet can be scaled in to nothing
      Given a running StatefulSet "web" with:
        | field         | value |
        | spec.replicas | 2     |
      When the StatefulSet "web" is updated:
        | field         | value |
        | spec.replicas | 0     |
      Then within 60 seconds there are no Pods labelled "app=web"
      And within 30 seconds the StatefulSet "web" has:
        | field                | value    |
        | status.replicas      | 0        |
        | status.readyReplicas | (absent) |

    @id:statefulsets.15 @core
    Scenario: While a member takes its time to stop the next one stays
      Given these running Pods:
        | name  | labels  | stops  |
        | web-0 | app=web |        |
        | web-1 | app=web |        |
        | web-2 | app=web | slowly |
      And a running StatefulSet "web" with:
        | field                    | value    |
        | spec.replicas            | 3        |
        | spec.updateStrategy.type | OnDelete |
      When the scale of the StatefulSet "web" is updated:
        | field         | value |
        | spec.replicas | 1     |
      Then within 30 seconds there is 1 terminating Pod labelled "app=web"
      And for 5 seconds there are 2 active Pods labelled "app=web"
      And there is a Pod "web-1"

    @id:statefulsets.16 @core
    Scenario: While a member that stays is not ready nobody goes
      Given a running StatefulSet "web" with:
        | field                             | value                                |
        | spec.replicas                     | 3                                    |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      And the readiness gate of the Pod "web-0" has closed
      And the StatefulSet "web" has come to have:
        | field                | value |
        | status.readyReplicas | 2     |
      When the scale of the StatefulSet "web" is updated:
        | field         | value |
        | spec.replicas | 1     |
      Then for 5 seconds there are 3 active Pods labelled "app=web"

    @id:statefulsets.17 @core
    Scenario: The last member goes although it is not ready
      Given a running StatefulSet "web" with:
        | field                             | value                                |
        | spec.replicas                     | 2                                    |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      And the readiness gate of the Pod "web-1" has closed
      When the scale of the StatefulSet "web" is updated:
        | field         | value |
        | spec.replicas | 1     |
      Then within 30 seconds the only Pods labelled "app=web" are "web-0"

  @req:STS-8
  Rule: Parallel management does not wait

    @id:statefulsets.18 @core
    Scenario: All members come at once
      When a StatefulSet "web" is created with:
        | field                             | value                                |
        | spec.replicas                     | 3                                    |
        | spec.podManagementPolicy          | Parallel                             |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      Then within 60 seconds there are 3 unready Pods labelled "app=web"
      And the only Pods labelled "app=web" are "web-0", "web-1" and "web-2"

    @id:statefulsets.19 @core
    Scenario: All members go at once
      Given these running Pods:
        | name  | labels  | stops  |
        | web-0 | app=web |        |
        | web-1 | app=web |        |
        | web-2 | app=web | slowly |
      And a running StatefulSet "web" with:
        | field                    | value    |
        | spec.replicas            | 3        |
        | spec.podManagementPolicy | Parallel |
        | spec.updateStrategy.type | OnDelete |
      When the scale of the StatefulSet "web" is updated:
        | field         | value |
        | spec.replicas | 1     |
      Then within 30 seconds there is 1 terminating Pod labelled "app=web"
      And within 30 seconds the only Pods labelled "app=web" are "web-0" and "web-2"

  @req:STS-9
  Rule: The status tells how many members there are, and how far they are

    @id:statefulsets.20 @core
    Scenario: Once all are there they are of the one revision
      When a StatefulSet "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 60 seconds the StatefulSet "web" has:
        | field                     | value    |
        | status.observedGeneration | 1        |
        | status.replicas           | 2        |
        | status.readyReplicas      | 2        |
        | status.availableReplicas  | 2        |
        | status.currentReplicas    | 2        |
        | status.updatedReplicas    | 2        |
        | status.currentRevision    | /web-.+/ |
        | status.updateRevision     | /web-.+/ |
        | status.collisionCount     | 0        |

    @id:statefulsets.21 @core
    Scenario: Ready and available are two things
      When a StatefulSet "web" is created with:
        | field                    | value    |
        | spec.replicas            | 2        |
        | spec.podManagementPolicy | Parallel |
        | spec.minReadySeconds     | 3600     |
      Then within 60 seconds the StatefulSet "web" has:
        | field                    | value |
        | status.replicas          | 2     |
        | status.readyReplicas     | 2     |
        | status.availableReplicas | 0     |

    @id:statefulsets.22 @core
    Scenario: A member that is no longer ready is no longer counted as ready, and stays
      Given a running StatefulSet "web" with:
        | field                             | value                                |
        | spec.replicas                     | 2                                    |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      And the uid of the Pod "web-1" is called "first"
      When the readiness gate of the Pod "web-1" closes
      Then within 30 seconds the StatefulSet "web" has:
        | field                    | value |
        | status.replicas          | 2     |
        | status.readyReplicas     | 1     |
        | status.availableReplicas | 1     |
      And for 5 seconds there are 2 active Pods labelled "app=web"

  @req:STS-12 @needs:nodes.fault @needs:time.skip
  Rule: A member is replaced once the one before it is known to be gone

    @id:statefulsets.23 @core
    Scenario: A member whose node is cut off is not replaced, as it may still run
      Given the nodes "lost" have joined
      And a running StatefulSet "web" with:
        | field                       | value                         |
        | spec.replicas               | 1                             |
        | spec.template.spec.affinity | {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {matchFields: [{key: metadata.name, operator: In, values: [lost]}]}}]}} |
        | spec.template.spec.terminationGracePeriodSeconds | 30       |
        | spec.template.spec.tolerations | [{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 20}] |
      And the uid of the Pod "web-0" is called "first"
      When the node "lost" is cut off
      Then within 3 minutes the Pod "web-0" has:
        | field                      | value     |
        | metadata.deletionTimestamp | (present) |
      And for 5 minutes the Pod "web-0" still has:
        | field                      | value     |
        | metadata.deletionTimestamp | (present) |
      And the Pod "web-0" still has the uid "first"
