Feature: Restarts
  A container that exits is started again, or not, as its Pod's restart policy says. Who fails again and again is made to
  wait, each time twice as long, up to five minutes.

  @req:KLT-1
  Rule: An exited container is restarted as restartPolicy says

    @id:restarts.01 @core
    Scenario Outline: With <policy>, a container that exits with <code> is restarted
      When a Pod "web" is created with:
        | field                      | value                          |
        | spec.restartPolicy         | <policy>                       |
        | spec.containers[0].image   | test/busybox                   |
        | spec.containers[0].command | [sh, -c, "sleep 2; exit <code>"] |
      Then within 1 minute the Pod "web" has:
        | field                                                             | value    |
        | status.phase                                                      | Running  |
        | status.containerStatuses[name=main].restartCount                  | 1        |
        | status.containerStatuses[name=main].lastState.terminated.exitCode | <code>   |
        | status.containerStatuses[name=main].lastState.terminated.reason   | <reason> |

      Examples:
        | policy    | code | reason    |
        | Always    | 0    | Completed |
        | Always    | 3    | Error     |
        | OnFailure | 3    | Error     |

    @id:restarts.02 @core
    Scenario Outline: With <policy>, a Pod whose container exits with <code> has <phase>
      Given a Pod "web" with:
        | field                      | value                  |
        | spec.restartPolicy         | <policy>               |
        | spec.containers[0].image   | test/busybox           |
        | spec.containers[0].command | [sh, -c, "exit <code>"] |
      When 30 seconds pass
      Then within 1 minute the Pod "web" has:
        | field                                                         | value    |
        | status.phase                                                  | <phase>  |
        | status.containerStatuses[name=main].restartCount              | 0        |
        | status.containerStatuses[name=main].state.terminated.exitCode | <code>   |
        | status.containerStatuses[name=main].state.terminated.reason   | <reason> |

      Examples:
        | policy    | code | phase     | reason    |
        | OnFailure | 0    | Succeeded | Completed |
        | Never     | 0    | Succeeded | Completed |
        | Never     | 3    | Failed    | Error     |

    @id:restarts.03 @core
    Scenario: Only the container that exited is restarted
      When a Pod "web" is created with:
        """
        spec:
          containers:
            - {name: fails, image: test/busybox, command: [sh, -c, "sleep 2; exit 1"]}
            - {name: stays, image: test/busybox, command: [sleep, "3600"]}
        """
      Then within 1 minute the Pod "web" has:
        | field                                             | value |
        | status.containerStatuses[name=fails].restartCount | 1     |
        | status.containerStatuses[name=stays].restartCount | 0     |
        | status.containerStatuses[name=stays].ready        | true  |

    @id:restarts.04 @core
    Scenario: What a container wrote before its restart can still be read
      Given a Pod "web" with:
        | field                      | value                                         |
        | spec.containers[0].image   | test/busybox                                  |
        | spec.containers[0].command | [sh, -c, "echo I was here; sleep 3; exit 1"]  |
      When 5 seconds pass
      Then within 1 minute the log of the Pod "web" before its restart mentions "I was here"

    @id:restarts.05 @core
    Scenario: What a container says of its end stands in its status
      When a Pod "web" is created with:
        | field                      | value                                                 |
        | spec.restartPolicy         | Never                                                 |
        | spec.containers[0].image   | test/busybox                                          |
        | spec.containers[0].command | [sh, -c, "echo -n worn out > /dev/termination-log; exit 1"] |
      Then within 1 minute the Pod "web" has:
        | field                                                        | value    |
        | status.containerStatuses[name=main].state.terminated.message | worn out |

    @id:restarts.06 @core
    Scenario: Who says nothing of its end can have its log speak for it
      When a Pod "web" is created with:
        | field                                       | value                                    |
        | spec.restartPolicy                          | Never                                    |
        | spec.containers[0].image                    | test/busybox                             |
        | spec.containers[0].terminationMessagePolicy | FallbackToLogsOnError                    |
        | spec.containers[0].command                  | [sh, -c, "echo -n worn out; exit 1"]     |
      Then within 1 minute the Pod "web" has:
        | field                                                        | value    |
        | status.containerStatuses[name=main].state.terminated.message | worn out |

    @id:restarts.07 @core
    Scenario: A container that uses more memory than its limit is killed
      When a Pod "web" is created with:
        | field                        | value                                                  |
        | spec.restartPolicy           | Never                                                  |
        | spec.containers[0].image     | test/busybox                                           |
        | spec.containers[0].resources | {limits: {memory: 20Mi}, requests: {memory: 20Mi}}     |
        | spec.containers[0].command   | [sh, -c, "tail /dev/zero"]                             |
      Then within 1 minute the Pod "web" has:
        | field                                                       | value     |
        | status.phase                                                | Failed    |
        | status.containerStatuses[name=main].state.terminated.reason | OOMKilled |

    @id:restarts.12 @core @needs:pods.fault
    Scenario Outline: A container that is killed from outside leaves its Pod <phase> with the restart policy <policy>
      Given a Pod "web" with:
        | field                      | value           |
        | spec.restartPolicy         | <policy>        |
        | spec.containers[0].image   | test/busybox    |
        | spec.containers[0].command | [sleep, "3600"] |
      And the Pod "web" runs
      When the container "main" of the Pod "web" crashes
      Then within 1 minute the Pod "web" has:
        | field                                                      | value      |
        | status.phase                                               | <phase>    |
        | status.containerStatuses[name=main].restartCount           | <restarts> |
        | status.containerStatuses[name=main].<ended>.terminated.exitCode | 137   |
        | status.containerStatuses[name=main].<ended>.terminated.reason   | Error |

      Examples:
        | policy    | phase   | restarts | ended     |
        | Always    | Running | 1        | lastState |
        | OnFailure | Running | 1        | lastState |
        | Never     | Failed  | 0        | state     |

  @req:KLT-1
  Rule: Before each restart the wait is doubled, from ten seconds to five minutes

    @id:restarts.08 @core
    Scenario: A container that waits for its restart is in CrashLoopBackOff
      When a Pod "web" is created with:
        | field                      | value             |
        | spec.containers[0].image   | test/busybox      |
        | spec.containers[0].command | [sh, -c, "exit 1"] |
      Then within 1 minute the Pod "web" has:
        | field                                                             | value            |
        | status.phase                                                      | Running          |
        | status.containerStatuses[name=main].state.waiting.reason          | CrashLoopBackOff |
        | status.containerStatuses[name=main].lastState.terminated.exitCode | 1                |
      And within 10 seconds an Event "BackOff" tells of the Pod "web"

    @id:restarts.09 @core
    Scenario: The waits are ten seconds, twenty, forty
      When a Pod "web" is created with:
        | field                      | value             |
        | spec.containers[0].image   | test/busybox      |
        | spec.containers[0].command | [sh, -c, "exit 1"] |
      Then within 2 minutes the restarts of the Pod "web" have waited "10, 20, 40" seconds after the first

    @id:restarts.10 @core @needs:time.skip
    Scenario: The wait does not grow beyond five minutes
      When a Pod "web" is created with:
        | field                      | value             |
        | spec.containers[0].image   | test/busybox      |
        | spec.containers[0].command | [sh, -c, "exit 1"] |
      Then within 40 minutes the restarts of the Pod "web" have waited "10, 20, 40, 80, 160, 300, 300" seconds after the first

    @id:restarts.11 @core @needs:time.skip
    Scenario: Who ran well for ten minutes begins anew
      When a Pod "web" is created with:
        """
        spec:
          containers:
            - name: main
              image: test/busybox
              command:
                - sh
                - -c
                - |
                  if [ -e /data/often ]; then sleep 700; fi
                  if [ -e /data/twice ]; then touch /data/often; fi
                  if [ -e /data/once ]; then touch /data/twice; fi
                  touch /data/once
                  exit 1
              volumeMounts: [{name: data, mountPath: /data}]
          volumes: [{name: data, emptyDir: {}}]
        """
      Then within 40 minutes the restarts of the Pod "web" have waited "10, 20, 0, 0" seconds after the first

    @id:restarts.13 @core @needs:pods.fault
    Scenario: Who is killed soon after a restart waits for the next
      Given a Pod "web" with:
        | field                      | value           |
        | spec.containers[0].image   | test/busybox    |
        | spec.containers[0].command | [sleep, "3600"] |
      And the Pod "web" runs
      And the container "main" of the Pod "web" has crashed
      And the Pod "web" has come to have:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 1     |
        | status.containerStatuses[name=main].ready        | true  |
      When the container "main" of the Pod "web" crashes
      Then within 15 seconds the Pod "web" has:
        | field                                                    | value            |
        | status.containerStatuses[name=main].restartCount         | 1                |
        | status.containerStatuses[name=main].state.waiting.reason | CrashLoopBackOff |
      And within 40 seconds the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 2     |
        | status.containerStatuses[name=main].ready        | true  |
