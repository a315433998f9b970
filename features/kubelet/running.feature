Feature: A Pod's life on its node
  Phase and conditions tell where a Pod stands. It may be changed while it runs, its node may refuse it, its time may be
  over; and its kubelet may start anew without its containers taking note.

  @req:KLT-7
  Rule: Phase and conditions tell the Pod's state

    @id:running.01 @core
    Scenario: A Pod that runs has all conditions
      When a Pod "web" is created
      Then within 1 minute the Pod "web" has:
        | field                                                    | value   |
        | status.phase                                             | Running |
        | status.conditions[type=PodScheduled].status              | "True"  |
        | status.conditions[type=PodReadyToStartContainers].status | "True"  |
        | status.conditions[type=Initialized].status               | "True"  |
        | status.conditions[type=ContainersReady].status           | "True"  |
        | status.conditions[type=Ready].status                     | "True"  |

    @id:running.02 @core
    Scenario: A Pod that is through is not ready, and says so
      Given a Pod "web" with:
        | field                      | value        |
        | spec.restartPolicy         | Never        |
        | spec.containers[0].image   | test/busybox |
        | spec.containers[0].command | ["true"]     |
      When 5 seconds pass
      Then within 1 minute the Pod "web" has:
        | field                                                    | value        |
        | status.phase                                             | Succeeded    |
        | status.conditions[type=Ready].status                     | "False"      |
        | status.conditions[type=Ready].reason                     | PodCompleted |
        | status.conditions[type=Initialized].status               | "True"       |
        | status.conditions[type=PodReadyToStartContainers].status | "False"      |

    @id:running.03 @core
    Scenario: One container that failed makes the Pod that is through a failed one
      Given a Pod "web" with:
        """
        spec:
          restartPolicy: Never
          containers:
            - {name: well, image: test/busybox, command: ["true"]}
            - {name: ill, image: test/busybox, command: ["false"]}
        """
      When 5 seconds pass
      Then within 1 minute the Pod "web" has:
        | field                                | value     |
        | status.phase                         | Failed    |
        | status.conditions[type=Ready].reason | PodFailed |

    @id:running.04 @core
    Scenario: As long as one container runs, the Pod does
      Given a Pod "web" with:
        """
        spec:
          restartPolicy: Never
          containers:
            - {name: ends, image: test/busybox, command: ["true"]}
            - {name: stays, image: test/busybox, command: [sleep, "3600"]}
        """
      And the Pod "web" runs
      When 10 seconds pass
      Then for 10 seconds the Pod "web" still has:
        | field                                                         | value   |
        | status.phase                                                  | Running |
        | status.containerStatuses[name=ends].state.terminated.exitCode | 0       |
        | status.conditions[type=Ready].status                          | "False" |

    @id:running.05 @core
    Scenario: A Pod whose time is over is ended
      When a Pod "web" is created with:
        | field                      | value           |
        | spec.activeDeadlineSeconds | 5               |
        | spec.containers[0].image   | test/busybox    |
        | spec.containers[0].command | [sleep, "3600"] |
        | spec.terminationGracePeriodSeconds | 1       |
      Then within 1 minute the Pod "web" has:
        | field                                                | value            |
        | status.phase                                         | Failed           |
        | status.reason                                        | DeadlineExceeded |
        | status.containerStatuses[name=main].state.terminated | (present)        |

    @id:running.06 @core
    Scenario: A container may have a restart policy of its own
      When a Pod "web" is created with:
        """
        spec:
          restartPolicy: Never
          containers:
            - {name: again, image: test/busybox, restartPolicy: Always, command: [sh, -c, "sleep 2; exit 1"]}
            - {name: stays, image: "registry.k8s.io/pause:3.10"}
        """
      Then within 1 minute the Pod "web" has:
        | field                                             | value   |
        | status.phase                                      | Running |
        | status.containerStatuses[name=again].restartCount | 1       |
        | status.containerStatuses[name=stays].restartCount | 0       |

  @req:API-9
  Rule: A changed image restarts that container, and only that one

    @id:running.07 @core
    Scenario: The other container runs on
      Given a Pod "web" with:
        """
        spec:
          containers:
            - {name: changed, image: "registry.k8s.io/pause:3.9"}
            - {name: other, image: "registry.k8s.io/pause:3.9"}
        """
      And the Pod "web" runs
      When the Pod "web" is updated:
        | field                    | value                      |
        | spec.containers[0].image | registry.k8s.io/pause:3.10 |
      Then within 1 minute the Pod "web" has:
        | field                                               | value      |
        | status.containerStatuses[name=changed].restartCount | 1          |
        | status.containerStatuses[name=changed].image        | /.*pause:3.10/ |
        | status.containerStatuses[name=changed].ready        | true       |
        | status.containerStatuses[name=other].restartCount   | 0          |

    @id:running.08 @extended
    Scenario: Changed resources change the running container, without a restart
      Given a Pod "web" with:
        | field                        | value                                                        |
        | spec.containers[0].resources | {requests: {cpu: 10m, memory: 32Mi}, limits: {cpu: 100m, memory: 64Mi}} |
      And the Pod "web" runs
      When the resources of the Pod "web" are updated:
        | field                        | value                                                        |
        | spec.containers[0].resources | {requests: {cpu: 20m, memory: 32Mi}, limits: {cpu: 200m, memory: 64Mi}} |
      Then within 1 minute the Pod "web" has:
        | field                                                    | value |
        | status.containerStatuses[name=main].resources.limits.cpu | 200m  |
        | status.containerStatuses[name=main].restartCount         | 0     |

  @req:KLT-14
  Rule: A node refuses a Pod that it cannot have

    @id:running.09 @core
    Scenario: A Pod that asks for more than there is fails at once
      Given a ready node, called "worker"
      When a Pod "web" is created with:
        | field                        | value                        |
        | spec.nodeName                | worker                       |
        | spec.containers[0].resources | {requests: {cpu: "100000"}}  |
      Then within 1 minute the Pod "web" has:
        | field         | value    |
        | status.phase  | Failed   |
        | status.reason | OutOfcpu |
      And within 10 seconds an Event "OutOfcpu" tells of the Pod "web"

    @id:running.10 @core
    Scenario: A Pod that does not want this node fails at once
      Given a ready node, called "worker"
      When a Pod "web" is created with:
        | field             | value                  |
        | spec.nodeName     | worker                 |
        | spec.nodeSelector | {gherkube.dev/no: such} |
      Then within 1 minute the Pod "web" has:
        | field         | value        |
        | status.phase  | Failed       |
        | status.reason | NodeAffinity |

  @req:KLT-15
  Rule: A kubelet that starts anew goes on with the containers that it finds

    @id:running.11 @core @needs:nodes.fault
    Scenario: Containers run on while their kubelet starts anew
      Given the nodes "worker" have joined
      And a Pod "web" with:
        | field                      | value           |
        | spec.nodeName              | worker          |
        | spec.containers[0].image   | test/busybox    |
        | spec.containers[0].command | [sleep, "3600"] |
      And the Pod "web" runs
      When the kubelet of the node "worker" starts anew
      Then for 30 seconds the Pod "web" still has:
        | field                                            | value   |
        | status.phase                                     | Running |
        | status.containerStatuses[name=main].restartCount | 0       |

    @id:running.12 @core @needs:nodes.fault
    Scenario: What was deleted meanwhile is stopped
      Given the nodes "worker" have joined
      And a Pod "web" with:
        | field                              | value           |
        | spec.nodeName                      | worker          |
        | spec.containers[0].image           | test/busybox    |
        | spec.containers[0].command         | [sleep, "3600"] |
        | spec.terminationGracePeriodSeconds | 5               |
      And the Pod "web" runs
      And the nodes "worker" have fallen silent
      And somebody has deleted the Pod "web"
      When the node "worker" comes back
      Then within 1 minute there is no Pod "web"

    @id:running.13 @core @needs:nodes.fault
    Scenario: Containers that a loss of power has ended are started again
      Given the nodes "worker" have joined
      And a Pod "web" with:
        | field         | value  |
        | spec.nodeName | worker |
      And the Pod "web" runs
      When the node "worker" loses its power and comes back
      Then within 1 minute the Pod "web" has:
        | field                                            | value   |
        | status.containerStatuses[name=main].restartCount | 1       |
        | status.containerStatuses[name=main].ready        | true    |

    @id:running.16 @core @needs:nodes.fault
    Scenario Outline: A Pod that is not to be restarted has failed when its node loses its <what>
      Given the nodes "worker" have joined
      And a Pod "web" with:
        | field                      | value           |
        | spec.nodeName              | worker          |
        | spec.restartPolicy         | Never           |
        | spec.containers[0].image   | test/busybox    |
        | spec.containers[0].command | [sleep, "3600"] |
      And the Pod "web" runs
      When the node "worker" loses its <what> and comes back
      Then within 1 minute the Pod "web" has:
        | field                                                | value     |
        | status.phase                                         | Failed    |
        | status.containerStatuses[name=main].state.terminated | (present) |

      Examples:
        | what  |
        | power |
        | disk  |

  @req:KLT-16 @needs:nodes.fault
  Rule: A node that comes back with an empty disk starts its Pods anew

    @id:running.17 @core
    Scenario: A Pod's own volumes are empty
      Given the nodes "worker" have joined
      And a Pod "web" with:
        """
        spec:
          nodeName: worker
          volumes: [{name: own, emptyDir: {}}]
          containers:
            - name: main
              image: test/busybox
              command: [sh, -c, "ls /own; touch /own/kept; echo begun; sleep 3600"]
              volumeMounts: [{name: own, mountPath: /own}]
        """
      And the log of the Pod "web" mentions "begun"
      When the node "worker" loses its disk and comes back
      Then within 1 minute the log of the Pod "web" reads:
        """
        begun
        """
      And within 1 minute the Pod "web" has:
        | field                                | value  |
        | status.conditions[type=Ready].status | "True" |

    @id:running.18 @extended @needs:storage.provision
    Scenario: What lies elsewhere is as it was
      Given the nodes "worker" have joined
      And a PersistentVolumeClaim "data"
      And a Pod "web" with:
        """
        spec:
          nodeSelector: {kubernetes.io/hostname: worker}
          volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
          containers:
            - name: main
              image: test/busybox
              command: [sh, -c, "ls /data; touch /data/kept; echo begun; sleep 3600"]
              volumeMounts: [{name: data, mountPath: /data}]
        """
      And the log of the Pod "web" mentions "begun"
      When the node "worker" loses its disk and comes back
      Then within 1 minute the log of the Pod "web" reads:
        """
        kept
        begun
        """

    @id:running.19 @core @needs:pods.fault
    Scenario: Restarts are counted on
      Given the nodes "worker" have joined
      And a Pod "web" with:
        | field         | value  |
        | spec.nodeName | worker |
      And the Pod "web" runs
      And the container "main" of the Pod "web" has crashed
      And the Pod "web" has come to have:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 1     |
        | status.containerStatuses[name=main].ready        | true  |
      When the node "worker" loses its disk and comes back
      Then within 1 minute the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 2     |
        | status.containerStatuses[name=main].ready        | true  |

  @req:KLT-17 @needs:nodes.fault
  Rule: A kubelet that is cut off looks after its containers as before

    @id:running.20 @core
    Scenario: They run on
      Given the nodes "worker" have joined
      And a Pod "web" with:
        | field                      | value                                               |
        | spec.nodeName              | worker                                              |
        | spec.containers[0].image   | test/busybox                                        |
        | spec.containers[0].command | [sh, -c, "sleep 25; echo still here; sleep 3600"]   |
      And the Pod "web" runs
      And the node "worker" has been cut off
      And 45 seconds have passed
      When the node "worker" is connected again
      Then within 10 seconds the log of the Pod "web" mentions "still here"
      And within 60 seconds the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 0     |
        | status.containerStatuses[name=main].ready        | true  |

    @id:running.21 @core
    Scenario: Who ends meanwhile is restarted meanwhile, which is told later
      Given the nodes "worker" have joined
      And a Pod "web" with:
        """
        spec:
          nodeName: worker
          volumes: [{name: data, emptyDir: {}}]
          containers:
            - name: main
              image: test/busybox
              command:
                - sh
                - -c
                - |
                  if [ -e /data/again ]; then sleep 30; echo long since; sleep 3600; fi
                  touch /data/again
                  sleep 10
                  exit 1
              volumeMounts: [{name: data, mountPath: /data}]
        """
      And the Pod "web" runs
      And the node "worker" has been cut off
      And 60 seconds have passed
      When the node "worker" is connected again
      Then within 10 seconds the log of the Pod "web" mentions "long since"
      And within 50 seconds the Pod "web" has:
        | field                                                             | value |
        | status.containerStatuses[name=main].restartCount                  | 1     |
        | status.containerStatuses[name=main].lastState.terminated.exitCode | 1     |

  @req:KLT-4
  Rule: Node status reports capacity, allocatable and pressure conditions

    @id:running.14 @core
    Scenario: A node tells what it has, what of it can be had, and that it is under no pressure
      Given a ready node, called "worker"
      When the Node "worker" is read
      Then the answer has:
        | field                                         | value     |
        | status.capacity.cpu                           | (present) |
        | status.capacity.memory                        | (present) |
        | status.capacity.pods                          | (present) |
        | status.allocatable.cpu                        | (present) |
        | status.allocatable.memory                     | (present) |
        | status.conditions[type=MemoryPressure].status | "False"   |
        | status.conditions[type=DiskPressure].status   | "False"   |
        | status.conditions[type=PIDPressure].status    | "False"   |
        | status.nodeInfo.kubeletVersion                | (present) |
        | status.nodeInfo.containerRuntimeVersion       | (present) |

  @req:KLT-5
  Rule: CPU and memory use of each node, Pod and container can be read

    @id:running.15 @core @needs:metrics.read
    Scenario Outline: What the <what> uses can be read
      Given a ready node, called "worker"
      And a Pod "web" with:
        | field                      | value                                        |
        | spec.containers[0].image   | test/busybox                                 |
        | spec.containers[0].command | [sh, -c, "while true; do true; done"]        |
      And the Pod "web" runs
      When 20 seconds pass
      Then within 1 minute the use of CPU and memory of the <what> can be read

      Examples:
        | what          |
        | Pod "web"     |
        | Node "worker" |
