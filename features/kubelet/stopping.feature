Feature: Stopping
  Whoever deletes a Pod gives its containers time. Each is told to stop, and does so, or is killed when the grace period is
  over. Only then the Pod's object goes.

  @req:API-8
  Rule: A deleted Pod's containers are stopped, gracefully, and its object goes after them

    @id:stopping.01 @core
    Scenario: A container that stops when it is told to goes at once
      Given a Pod "web" with:
        | field                              | value                                                          |
        | spec.terminationGracePeriodSeconds | 100                                                            |
        | spec.containers[0].image           | test/busybox                                                   |
        | spec.containers[0].command         | [sh, -c, "trap 'exit 0' TERM; while true; do sleep 1; done"]   |
      And the Pod "web" runs
      When the Pod "web" is deleted
      Then within 30 seconds there is no Pod "web"

    @id:stopping.02 @core
    Scenario: A container that does not listen has its grace period, and its Pod is marked
      Given a Pod "web" with:
        | field                              | value           |
        | spec.terminationGracePeriodSeconds | 30              |
        | spec.containers[0].image           | test/busybox    |
        | spec.containers[0].command         | [sleep, "3600"] |
      And the Pod "web" runs
      When the Pod "web" is deleted
      Then for 20 seconds the Pod "web" still has:
        | field                                             | value     |
        | metadata.deletionTimestamp                        | (present) |
        | metadata.deletionGracePeriodSeconds               | 30        |
        | status.phase                                      | Running   |
        | status.containerStatuses[name=main].state.running | (present) |

    @id:stopping.03 @core
    Scenario: At the end of its grace period it is killed
      Given a Pod "web" with:
        | field                              | value           |
        | spec.terminationGracePeriodSeconds | 5               |
        | spec.containers[0].image           | test/busybox    |
        | spec.containers[0].command         | [sleep, "3600"] |
      And the Pod "web" runs
      When the Pod "web" is deleted
      Then within 40 seconds there is no Pod "web"

    @id:stopping.04 @core
    Scenario: A deletion may give less time than the Pod asks for
      Given a Pod "web" with:
        | field                              | value           |
        | spec.terminationGracePeriodSeconds | 3600            |
        | spec.containers[0].image           | test/busybox    |
        | spec.containers[0].command         | [sleep, "3600"] |
      And the Pod "web" runs
      When the Pod "web" is deleted with:
        | option       | value |
        | grace period | 5     |
      Then within 40 seconds there is no Pod "web"

    @id:stopping.05 @core
    Scenario: How a container ended is told as long as somebody holds the Pod
      Given a Pod "web" with:
        | field                              | value                                                        |
        | metadata.finalizers                | [gherkube.dev/hold]                                          |
        | spec.terminationGracePeriodSeconds | 100                                                          |
        | spec.containers[0].image           | test/busybox                                                 |
        | spec.containers[0].command         | [sh, -c, "trap 'exit 7' TERM; while true; do sleep 1; done"] |
      And the Pod "web" runs
      When the Pod "web" is deleted
      Then within 1 minute the Pod "web" has:
        | field                                                         | value  |
        | status.phase                                                  | Failed |
        | status.containerStatuses[name=main].state.terminated.exitCode | 7      |
        | status.conditions[type=Ready].status                          | "False" |
      And within 10 seconds an Event "Killing" tells of the Pod "web"

    @id:stopping.06 @core
    Scenario: A container that had to be killed is told as such
      Given a Pod "web" with:
        | field                              | value               |
        | metadata.finalizers                | [gherkube.dev/hold] |
        | spec.terminationGracePeriodSeconds | 3                   |
        | spec.containers[0].image           | test/busybox        |
        | spec.containers[0].command         | [sleep, "3600"]     |
      And the Pod "web" runs
      When the Pod "web" is deleted
      Then within 1 minute the Pod "web" has:
        | field                                                         | value  |
        | status.containerStatuses[name=main].state.terminated.exitCode | 137    |

  @req:KLT-10
  Rule: Hooks run right after a container's start and right before its end

    @id:stopping.07 @core
    Scenario: The hook before the end runs, and its time is the grace period's
      Given a Pod "web" with:
        """
        metadata: {finalizers: [gherkube.dev/hold]}
        spec:
          terminationGracePeriodSeconds: 60
          containers:
            - name: main
              image: test/busybox
              command: [sh, -c, "trap 'cat /tmp/said > /dev/termination-log; exit 0' TERM; while true; do sleep 1; done"]
              lifecycle:
                preStop: {exec: {command: [sh, -c, "echo -n farewell > /tmp/said"]}}
        """
      And the Pod "web" runs
      When the Pod "web" is deleted
      Then within 1 minute the Pod "web" has:
        | field                                                        | value     |
        | status.phase                                                 | Succeeded |
        | status.containerStatuses[name=main].state.terminated.message | farewell  |

    @id:stopping.08 @core
    Scenario: A hook that takes longer than the grace period does not hold the Pod for ever
      Given a Pod "web" with:
        | field                              | value                                                   |
        | spec.terminationGracePeriodSeconds | 5                                                       |
        | spec.containers[0].image           | test/busybox                                            |
        | spec.containers[0].command         | [sleep, "3600"]                                         |
        | spec.containers[0].lifecycle       | {preStop: {exec: {command: [sleep, "3600"]}}}           |
      And the Pod "web" runs
      When the Pod "web" is deleted
      Then within 1 minute there is no Pod "web"

    @id:stopping.09 @core
    Scenario: A container counts as running when its start's hook is over
      Given a Pod "web" with:
        | field                              | value                                                   |
        | spec.containers[0].image           | test/busybox                                            |
        | spec.containers[0].command         | [sleep, "3600"]                                         |
        | spec.containers[0].lifecycle       | {postStart: {exec: {command: [sleep, "40"]}}}           |
      When 10 seconds pass
      Then for 10 seconds the Pod "web" still has:
        | field                                     | value   |
        | status.phase                              | Pending |
        | status.containerStatuses[name=main].ready | false   |

    @id:stopping.10 @core
    Scenario: A container whose start's hook fails is killed and restarted
      When a Pod "web" is created with:
        | field                              | value                                                        |
        | spec.terminationGracePeriodSeconds | 1                                                            |
        | spec.containers[0].image           | test/busybox                                                 |
        | spec.containers[0].command         | [sleep, "3600"]                                              |
        | spec.containers[0].lifecycle       | {postStart: {exec: {command: [sh, -c, "exit 1"]}}}           |
      Then within 1 minute the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 1     |
      And within 10 seconds an Event "FailedPostStartHook" tells of the Pod "web"
