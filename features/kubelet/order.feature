Feature: Init containers and sidecars
  What has to be done before a Pod's containers start is done by init containers, one after another. One that is to be
  restarted always is a sidecar: it starts in its turn, stays, and ends after the others.

  @req:KLT-6
  Rule: Init containers run to completion one after another before the others start

    @id:order.01 @core
    Scenario: They run in the order of the Pod, and the containers after them
      Given a Pod "web" with:
        """
        spec:
          restartPolicy: Never
          volumes: [{name: data, emptyDir: {}}]
          initContainers:
            - {name: one, image: test/busybox, command: [sh, -c, "sleep 2; echo one >> /data/x"], volumeMounts: [{name: data, mountPath: /data}]}
            - {name: two, image: test/busybox, command: [sh, -c, "echo two >> /data/x"], volumeMounts: [{name: data, mountPath: /data}]}
          containers:
            - {name: main, image: test/busybox, command: [cat, /data/x], volumeMounts: [{name: data, mountPath: /data}]}
        """
      When 5 seconds pass
      Then within 1 minute the log of the container "main" of the Pod "web" reads:
        """
        one
        two
        """

    @id:order.02 @core
    Scenario: As long as one runs the Pod is initializing
      Given a Pod "web" with:
        """
        spec:
          initContainers:
            - {name: one, image: test/busybox, command: [sleep, "3600"]}
            - {name: two, image: test/busybox, command: [sleep, "3600"]}
          containers:
            - {name: main, image: "registry.k8s.io/pause:3.10"}
        """
      When 10 seconds pass
      Then for 10 seconds the Pod "web" still has:
        | field                                                       | value                    |
        | status.phase                                                | Pending                  |
        | status.initContainerStatuses[name=one].state.running        | (present)                |
        | status.initContainerStatuses[name=two].state.waiting.reason | PodInitializing          |
        | status.containerStatuses[name=main].state.waiting.reason    | PodInitializing          |
        | status.conditions[type=Initialized].status                  | "False"                  |
        | status.conditions[type=Initialized].reason                  | ContainersNotInitialized |

    @id:order.03 @core
    Scenario: One that fails is run again until it succeeds
      When a Pod "web" is created with:
        """
        spec:
          volumes: [{name: data, emptyDir: {}}]
          initContainers:
            - name: one
              image: test/busybox
              command: [sh, -c, "if [ -e /data/x ]; then exit 0; fi; touch /data/x; exit 1"]
              volumeMounts: [{name: data, mountPath: /data}]
          containers:
            - {name: main, image: "registry.k8s.io/pause:3.10"}
        """
      Then within 1 minute the Pod "web" has:
        | field                                               | value   |
        | status.phase                                        | Running |
        | status.initContainerStatuses[name=one].restartCount | 1       |
        | status.conditions[type=Initialized].status          | "True"  |

    @id:order.04 @core
    Scenario: Where nothing is restarted, one that fails ends the Pod
      When a Pod "web" is created with:
        """
        spec:
          restartPolicy: Never
          initContainers:
            - {name: one, image: test/busybox, command: [sh, -c, "exit 4"]}
          containers:
            - {name: main, image: "registry.k8s.io/pause:3.10"}
        """
      Then within 1 minute the Pod "web" has:
        | field                                                            | value   |
        | status.phase                                                     | Failed  |
        | status.initContainerStatuses[name=one].state.terminated.exitCode | 4       |
        | status.containerStatuses[name=main].state.running                | (absent) |

  @req:KLT-11
  Rule: A sidecar starts in the order of the init containers, is restarted always, and ends after the containers

    @id:order.05 @core
    Scenario: A sidecar runs beside the containers that start after it
      When a Pod "web" is created with:
        """
        spec:
          initContainers:
            - {name: side, image: "registry.k8s.io/pause:3.10", restartPolicy: Always}
            - {name: one, image: test/busybox, command: ["true"]}
          containers:
            - {name: main, image: "registry.k8s.io/pause:3.10"}
        """
      Then within 1 minute the Pod "web" has:
        | field                                                 | value     |
        | status.phase                                          | Running   |
        | status.initContainerStatuses[name=side].state.running | (present) |
        | status.initContainerStatuses[name=side].ready         | true      |
        | status.conditions[type=Ready].status                  | "True"    |

    @id:order.06 @core
    Scenario: What starts after a sidecar waits until that has started
      Given a Pod "web" with:
        """
        spec:
          initContainers:
            - name: side
              image: "registry.k8s.io/pause:3.10"
              restartPolicy: Always
              startupProbe: {tcpSocket: {port: 81}, periodSeconds: 1, failureThreshold: 100}
          containers:
            - {name: main, image: "registry.k8s.io/pause:3.10"}
        """
      When 10 seconds pass
      Then for 10 seconds the Pod "web" still has:
        | field                                                    | value           |
        | status.phase                                             | Pending         |
        | status.containerStatuses[name=main].state.waiting.reason | PodInitializing |

    @id:order.07 @core
    Scenario: A sidecar that exits is restarted, whatever the Pod's restart policy
      When a Pod "web" is created with:
        """
        spec:
          restartPolicy: Never
          initContainers:
            - {name: side, image: test/busybox, restartPolicy: Always, command: [sh, -c, "sleep 3; exit 0"]}
          containers:
            - {name: main, image: "registry.k8s.io/pause:3.10"}
        """
      Then within 1 minute the Pod "web" has:
        | field                                                | value   |
        | status.phase                                         | Running |
        | status.initContainerStatuses[name=side].restartCount | 1       |

    @id:order.08 @core
    Scenario: A Pod whose containers have ended is through, and its sidecars are ended
      When a Pod "web" is created with:
        """
        spec:
          restartPolicy: Never
          terminationGracePeriodSeconds: 5
          initContainers:
            - {name: side, image: "registry.k8s.io/pause:3.10", restartPolicy: Always}
          containers:
            - {name: main, image: test/busybox, command: [sh, -c, "sleep 3"]}
        """
      Then within 1 minute the Pod "web" has:
        | field                                                    | value     |
        | status.phase                                             | Succeeded |
        | status.initContainerStatuses[name=side].state.terminated | (present) |

    @id:order.09 @core
    Scenario: A sidecar serves until the containers have stopped
      Given a Pod "web" with:
        """
        metadata: {finalizers: [gherkube.dev/hold]}
        spec:
          terminationGracePeriodSeconds: 60
          volumes: [{name: data, emptyDir: {}}]
          initContainers:
            - name: side
              image: test/busybox
              restartPolicy: Always
              command: [sh, -c, "trap 'cat /data/x > /dev/termination-log; exit 0' TERM; while true; do sleep 1; done"]
              volumeMounts: [{name: data, mountPath: /data}]
          containers:
            - name: main
              image: test/busybox
              command: [sh, -c, "trap 'sleep 5; echo -n last words > /data/x; exit 0' TERM; while true; do sleep 1; done"]
              volumeMounts: [{name: data, mountPath: /data}]
        """
      And the Pod "web" runs
      When the Pod "web" is deleted
      Then within 1 minute the Pod "web" has:
        | field                                                            | value      |
        | status.initContainerStatuses[name=side].state.terminated.message | last words |
