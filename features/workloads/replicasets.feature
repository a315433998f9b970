@needs:pods.run
Feature: ReplicaSets
  A ReplicaSet says how many Pods of one kind there should be. Its controller counts those that are there, makes the
  missing ones from the template, and removes what is too many. It does not care which Pods they are, nor where.

  @req:RS-1
  Rule: Missing Pods are created from the template

    @id:replicasets.01 @core
    Scenario: A new ReplicaSet gets as many Pods as it asks for
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 3     |
      Then within 60 seconds there are 3 ready Pods labelled "app=web"
      And for 5 seconds there are 3 active Pods labelled "app=web"

    @id:replicasets.02 @core
    Scenario: The Pods look like the template, and name the ReplicaSet as their controller
      Given a running ReplicaSet "web" with:
        """
        spec:
          replicas: 2
          template:
            metadata:
              labels: {app: web, tier: front}
              annotations: {example.com/note: hello}
            spec:
              terminationGracePeriodSeconds: 7
        """
      When the Pods labelled "app=web" are listed
      Then the list holds 2 objects, each once
      And each object of the list has:
        | field                                          | value                  |
        | metadata.generateName                          | web-                   |
        | metadata.name                                  | /web-[a-z0-9]{5}/      |
        | metadata.labels                                | {app: web, tier: front} |
        | metadata.annotations["example.com/note"]       | hello                  |
        | metadata.ownerReferences[0].apiVersion         | apps/v1                |
        | metadata.ownerReferences[0].kind               | ReplicaSet             |
        | metadata.ownerReferences[0].name               | web                    |
        | metadata.ownerReferences[0].controller         | true                   |
        | metadata.ownerReferences[0].blockOwnerDeletion | true                   |
        | spec.terminationGracePeriodSeconds             | 7                      |
        | spec.containers[0].image                       | registry.k8s.io/pause:3.10 |

    @id:replicasets.03 @core
    Scenario: Each Pod that is made is told of by an Event
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 3     |
      Then within 60 seconds there are 3 Events where "involvedObject.kind=ReplicaSet,involvedObject.name=web,reason=SuccessfulCreate"

    @id:replicasets.04 @core
    Scenario: A ReplicaSet on its way out makes no more Pods
      Given a running ReplicaSet "web" with:
        | field               | value                |
        | metadata.finalizers | [gherkube.dev/hold]  |
        | spec.replicas       | 2                    |
      And the Pods labelled "app=web" are called "a" and "b"
      And somebody has deleted the ReplicaSet "web"
      When the Pod "a" is deleted
      Then within 30 seconds there is no Pod "a"
      And for 5 seconds there is 1 active Pod labelled "app=web"

  @req:RS-3
  Rule: Raising the number scales out, lowering it scales in

    @id:replicasets.05 @core
    Scenario Outline: From <before> Pods to <after>
      Given a running ReplicaSet "web" with:
        | field         | value    |
        | spec.replicas | <before> |
      When the ReplicaSet "web" is updated:
        | field         | value   |
        | spec.replicas | <after> |
      Then within 60 seconds the ReplicaSet "web" has:
        | field                     | value   |
        | status.observedGeneration | 2       |
        | status.replicas           | <after> |
      And for 5 seconds there are <after> active Pods labelled "app=web"

      Examples:
        | before | after |
        | 1      | 4     |
        | 4      | 1     |
        | 0      | 2     |
        | 2      | 0     |

    @id:replicasets.06 @core
    Scenario: The scale of a ReplicaSet is its number, too
      Given a running ReplicaSet "web"
      When the scale of the ReplicaSet "web" is updated:
        | field         | value |
        | spec.replicas | 3     |
      Then within 60 seconds there are 3 ready Pods labelled "app=web"
      And within 30 seconds the scale of the ReplicaSet "web" has:
        | field           | value   |
        | spec.replicas   | 3       |
        | status.replicas | 3       |
        | status.selector | app=web |

    @id:replicasets.07 @core
    Scenario: A negative number is refused, and the Pods stay
      Given a running ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 2     |
      When the ReplicaSet "web" is updated:
        | field         | value |
        | spec.replicas | -1    |
      Then the request is refused as Invalid for:
        | field         | cause   |
        | spec.replicas | invalid |
      And for 5 seconds there are 2 ready Pods labelled "app=web"

  @req:RS-4
  Rule: A Pod that is lost is replaced

    @id:replicasets.08 @core
    Scenario: A deleted Pod is replaced by another
      Given a running ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And the Pods labelled "app=web" are called "a" and "b"
      When the Pod "a" is deleted
      Then within 60 seconds there is no Pod "a"
      And within 60 seconds there are 2 ready Pods labelled "app=web"
      And there is a Pod "b"

    @id:replicasets.09 @core
    Scenario: All Pods can be deleted, and are replaced
      Given a running ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 3     |
      And the Pods labelled "app=web" are called "a", "b" and "c"
      When all Pods labelled "app=web" are deleted
      Then within 30 seconds there is no Pod "a"
      And within 10 seconds there is no Pod "b"
      And within 10 seconds there is no Pod "c"
      And within 60 seconds there are 3 ready Pods labelled "app=web"

    @id:replicasets.10 @core
    Scenario: A Pod that takes its time to stop is replaced meanwhile
      Given these running Pods:
        | name | labels  | stops  |
        | slow | app=web | slowly |
      And a running ReplicaSet "web"
      When the Pod "slow" is deleted
      Then within 30 seconds there is 1 ready Pod labelled "app=web"
      And within 5 seconds there is 1 terminating Pod labelled "app=web"

    @id:replicasets.11 @core
    Scenario: A Pod that has failed is replaced, and left to be looked at
      Given a running ReplicaSet "web"
      And the Pods labelled "app=web" are called "a"
      When the Pod "a" is updated:
        | field                      | value |
        | spec.activeDeadlineSeconds | 1     |
      Then within 60 seconds the Pod "a" has:
        | field        | value  |
        | status.phase | Failed |
      And within 60 seconds there is 1 ready Pod labelled "app=web"
      And there are 2 Pods labelled "app=web"

  @req:RS-8
  Rule: Another template is for the Pods that are made later

    @id:replicasets.12 @core
    Scenario: The Pods that are there stay as they are
      Given a running ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And the Pods labelled "app=web" are called "a" and "b"
      When the ReplicaSet "web" is updated:
        | field                                  | value                     |
        | spec.template.spec.containers[0].image | registry.k8s.io/pause:3.9 |
      Then within 30 seconds the ReplicaSet "web" has:
        | field                     | value |
        | status.observedGeneration | 2     |
      And for 5 seconds the Pod "a" still has:
        | field                    | value                      |
        | spec.containers[0].image | registry.k8s.io/pause:3.10 |
      And the only Pods labelled "app=web" are "a" and "b"

    @id:replicasets.13 @core
    Scenario: A Pod that is made later is of the new template
      Given a running ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And the Pods labelled "app=web" are called "a" and "b"
      And somebody has changed the ReplicaSet "web":
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      When the Pod "a" is deleted
      Then within 60 seconds there is 1 ready Pod labelled "app=web,release=two"
      And within 30 seconds there is 1 ready Pod labelled "app=web,!release"

  @req:RS-11
  Rule: The status tells how many Pods there are, and how far they are

    @id:replicasets.14 @core
    Scenario: Pods that are not ready are counted, but not as ready
      When a ReplicaSet "web" is created with:
        | field                             | value                                |
        | spec.replicas                     | 2                                    |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      Then within 60 seconds the ReplicaSet "web" has:
        | field                       | value    |
        | status.observedGeneration   | 1        |
        | status.replicas             | 2        |
        | status.fullyLabeledReplicas | 2        |
        | status.readyReplicas        | (absent) |
        | status.availableReplicas    | (absent) |
      And for 5 seconds the ReplicaSet "web" still has:
        | field                | value    |
        | status.readyReplicas | (absent) |

    @id:replicasets.15 @core
    Scenario: A Pod that becomes ready is counted as ready and available
      Given a ReplicaSet "web" with:
        | field                             | value                                |
        | spec.replicas                     | 2                                    |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      And the Pods labelled "app=web" are called "a" and "b"
      When the readiness gate of the Pod "a" opens
      Then within 30 seconds the ReplicaSet "web" has:
        | field                    | value |
        | status.replicas          | 2     |
        | status.readyReplicas     | 1     |
        | status.availableReplicas | 1     |

    @id:replicasets.16 @core
    Scenario: A Pod that is no longer ready is no longer counted as ready, and not replaced
      Given a running ReplicaSet "web" with:
        | field                             | value                                |
        | spec.replicas                     | 2                                    |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      And the Pods labelled "app=web" are called "a" and "b"
      When the readiness gate of the Pod "b" closes
      Then within 30 seconds the ReplicaSet "web" has:
        | field                    | value |
        | status.replicas          | 2     |
        | status.readyReplicas     | 1     |
        | status.availableReplicas | 1     |
      And the only Pods labelled "app=web" are "a" and "b"

    @id:replicasets.17 @core
    Scenario: A Pod is available when it has been ready for as long as the ReplicaSet asks
      When a ReplicaSet "web" is created with:
        | field                | value |
        | spec.replicas        | 2     |
        | spec.minReadySeconds | 3600  |
      Then within 60 seconds the ReplicaSet "web" has:
        | field                    | value    |
        | status.readyReplicas     | 2        |
        | status.availableReplicas | (absent) |
      And for 5 seconds the ReplicaSet "web" still has:
        | field                    | value    |
        | status.availableReplicas | (absent) |

    @id:replicasets.18 @core
    Scenario: It becomes available though nothing else happens
      When a ReplicaSet "web" is created with:
        | field                | value |
        | spec.replicas        | 2     |
        | spec.minReadySeconds | 5     |
      Then within 60 seconds the ReplicaSet "web" has:
        | field                    | value |
        | status.readyReplicas     | 2     |
        | status.availableReplicas | 2     |

    @id:replicasets.19 @core
    Scenario: Whoever asks for less time has more that are available
      Given a running ReplicaSet "web" with:
        | field                | value |
        | spec.replicas        | 2     |
        | spec.minReadySeconds | 3600  |
      When the ReplicaSet "web" is updated:
        | field                | value |
        | spec.minReadySeconds | 0     |
      Then within 30 seconds the ReplicaSet "web" has:
        | field                    | value |
        | status.availableReplicas | 2     |

    @id:replicasets.20 @core
    Scenario: Pods that lack a label of the template are counted apart
      Given these running Pods:
        | name  | labels  |
        | plain | app=web |
      When a ReplicaSet "web" is created with:
        | field                              | value |
        | spec.replicas                      | 2     |
        | spec.template.metadata.labels.tier | front |
      Then within 60 seconds the ReplicaSet "web" has:
        | field                       | value |
        | status.replicas             | 2     |
        | status.readyReplicas        | 2     |
        | status.fullyLabeledReplicas | 1     |

  @req:RS-12
  Rule: Where Pods are refused, the status says so until they are not

    @id:replicasets.21 @core
    Scenario: A quota that allows one Pod makes a ReplicaSet of three fail
      Given a ResourceQuota "few" with:
        | field     | value       |
        | spec.hard | {pods: "1"} |
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 3     |
      Then within 60 seconds the ReplicaSet "web" has:
        | field                                            | value        |
        | status.replicas                                  | 1            |
        | status.conditions[type=ReplicaFailure].status    | "True"       |
        | status.conditions[type=ReplicaFailure].reason    | FailedCreate |
        | status.conditions[type=ReplicaFailure].message   | /.*few.*/    |

    @id:replicasets.22 @core
    Scenario: It gets the others as soon as it may
      Given a ResourceQuota "few" with:
        | field     | value       |
        | spec.hard | {pods: "1"} |
      And a ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 3     |
      And the ReplicaSet "web" has come to have:
        | field                                         | value  |
        | status.replicas                               | 1      |
        | status.conditions[type=ReplicaFailure].status | "True" |
      When the ResourceQuota "few" is updated:
        | field     | value        |
        | spec.hard | {pods: "10"} |
      Then within 60 seconds the ReplicaSet "web" has:
        | field                                  | value    |
        | status.replicas                        | 3        |
        | status.readyReplicas                   | 3        |
        | status.conditions[type=ReplicaFailure] | (absent) |

    @id:replicasets.23 @core
    Scenario: A ReplicaSet that cannot have its Pods keeps no other from having them
      Given a ReplicaSet "odd" with:
        """
        spec:
          replicas: 2
          selector: {matchLabels: {app: odd}}
          template:
            metadata: {labels: {app: odd}}
            spec: {serviceAccountName: nobody}
        """
      And the ReplicaSet "odd" has come to have:
        | field                                         | value        |
        | status.conditions[type=ReplicaFailure].reason | FailedCreate |
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 60 seconds there are 2 ready Pods labelled "app=web"
      And there are no Pods labelled "app=odd"

  @req:RS-9 @needs:nodes.fault @needs:time.skip
  Rule: A Pod on a lost node is replaced while it is still on its way out

    @id:replicasets.24 @core
    Scenario: Its node cannot say that it is gone, and nobody waits for that
      Given the nodes "lost" have joined
      And a Pod "a" with:
        """
        metadata: {labels: {app: web}}
        spec:
          nodeName: lost
          terminationGracePeriodSeconds: 30
          tolerations:
            - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 20}
        """
      And a running ReplicaSet "web"
      When the node "lost" falls silent
      Then within 2 minutes the Pod "a" has:
        | field                                | value     |
        | metadata.deletionTimestamp           | (present) |
        | metadata.ownerReferences[0].name     | web       |
      And within 60 seconds there is 1 ready Pod labelled "app=web"
      And for 5 minutes there is 1 terminating Pod labelled "app=web"
