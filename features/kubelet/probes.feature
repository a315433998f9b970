Feature: Probes
  A kubelet asks its containers how they are: alive, ready, started. It asks as often as the probe says, believes what it
  hears only after as many answers as the thresholds say, and reaches the program over the Pod's own address.

  @req:KLT-2
  Rule: A container that fails its livenessProbe is restarted

    @id:probes.01 @core
    Scenario: A command that fails three times in a row has its container restarted
      When a Pod "web" is created with:
        | field                            | value                                                              |
        | spec.containers[0].image         | test/busybox                                                       |
        | spec.containers[0].command       | [sh, -c, "touch /tmp/well; sleep 5; rm /tmp/well; sleep 3600"]     |
        | spec.containers[0].livenessProbe | {exec: {command: [cat, /tmp/well]}, periodSeconds: 2}              |
      Then within 1 minute the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 1     |
      And within 10 seconds an Event "Unhealthy" tells of the Pod "web"
      And within 10 seconds an Event "Killing" tells of the Pod "web"

    @id:probes.02 @core
    Scenario: An answer that tells of an error is a failure
      When a Pod "web" is created with:
        | field                            | value                                                      |
        | spec.containers[0].image         | test/agnhost                                               |
        | spec.containers[0].args          | [liveness]                                                 |
        | spec.containers[0].livenessProbe | {httpGet: {path: /healthz, port: 8080}, periodSeconds: 2, failureThreshold: 1} |
      Then within 1 minute the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 1     |

    @id:probes.03 @core
    Scenario Outline: A container that answers its probe (<how>) stays
      Given a Pod "web" with:
        | field                            | value                                       |
        | spec.containers[0].image         | test/agnhost                                |
        | spec.containers[0].args          | [netexec]                                   |
        | spec.containers[0].ports         | [{name: http, containerPort: 8080}]         |
        | spec.containers[0].livenessProbe | {<probe>, periodSeconds: 1, failureThreshold: 1, initialDelaySeconds: 2} |
      And the Pod "web" runs
      When 10 seconds pass
      Then for 5 seconds the Pod "web" still has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 0     |

      Examples:
        | how               | probe                                   |
        | by number         | httpGet: {path: /healthz, port: 8080}   |
        | by name           | httpGet: {path: /healthz, port: http}   |
        | a connection      | tcpSocket: {port: 8080}                 |
        | a redirect        | httpGet: {path: '/redirect?location=/healthz', port: 8080} |

    @id:probes.22 @core
    Scenario: Who answers over TLS need not be vouched for
      Given a Pod "web" with:
        | field                            | value                                       |
        | spec.containers[0].image         | test/agnhost                                |
        | spec.containers[0].args          | [netexec, --tls-cert-file=/localhost.crt, --tls-private-key-file=/localhost.key] |
        | spec.containers[0].livenessProbe | {httpGet: {path: /healthz, port: 8080, scheme: HTTPS}, periodSeconds: 1, failureThreshold: 1, initialDelaySeconds: 2} |
      And the Pod "web" runs
      When 10 seconds pass
      Then for 5 seconds the Pod "web" still has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 0     |

    @id:probes.23 @core
    Scenario: Who does not speak TLS fails a probe that does
      When a Pod "web" is created with:
        | field                            | value                                       |
        | spec.containers[0].image         | test/agnhost                                |
        | spec.containers[0].args          | [netexec]                                   |
        | spec.containers[0].livenessProbe | {httpGet: {path: /healthz, port: 8080, scheme: HTTPS}, periodSeconds: 1} |
        | spec.terminationGracePeriodSeconds | 1                                         |
      Then within 1 minute the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 1     |

    @id:probes.04 @core
    Scenario: A port on which nobody listens is a failure
      When a Pod "web" is created with:
        | field                            | value                                              |
        | spec.containers[0].livenessProbe | {tcpSocket: {port: 81}, periodSeconds: 1}          |
      Then within 1 minute the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 1     |

    @id:probes.05 @core
    Scenario: An answer that comes too late is a failure
      When a Pod "web" is created with:
        | field                            | value                                                                    |
        | spec.containers[0].image         | test/busybox                                                             |
        | spec.containers[0].command       | [sleep, "3600"]                                                          |
        | spec.containers[0].livenessProbe | {exec: {command: [sleep, "4"]}, timeoutSeconds: 1, periodSeconds: 2}     |
      Then within 1 minute the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 1     |

    @id:probes.06 @core
    Scenario: Before its initial delay a container is not asked
      Given a Pod "web" with:
        | field                            | value                                                                  |
        | spec.containers[0].livenessProbe | {tcpSocket: {port: 81}, periodSeconds: 1, failureThreshold: 1, initialDelaySeconds: 60} |
      And the Pod "web" runs
      When 15 seconds pass
      Then for 20 seconds the Pod "web" still has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 0     |

    @id:probes.07 @core
    Scenario: Fewer failures in a row than the threshold change nothing
      Given a Pod "web" with:
        | field                            | value                                                                   |
        | spec.containers[0].image         | test/busybox                                                            |
        | spec.containers[0].command       | [sleep, "3600"]                                                         |
        | spec.containers[0].livenessProbe | {exec: {command: [sh, -c, "if [ -e /tmp/x ]; then rm /tmp/x; else touch /tmp/x; exit 1; fi"]}, periodSeconds: 2, failureThreshold: 2} |
      And the Pod "web" runs
      When 15 seconds pass
      Then for 15 seconds the Pod "web" still has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 0     |

    @id:probes.08 @core
    Scenario: With the restart policy Never a container that is not alive ends its Pod
      When a Pod "web" is created with:
        | field                            | value                                                              |
        | spec.restartPolicy               | Never                                                              |
        | spec.containers[0].livenessProbe | {tcpSocket: {port: 81}, periodSeconds: 1}                          |
        | spec.terminationGracePeriodSeconds | 1                                                                |
        | spec.containers[0].image         | test/busybox                                                       |
        | spec.containers[0].command       | [sleep, "3600"]                                                    |
      Then within 1 minute the Pod "web" has:
        | field                                                         | value  |
        | status.phase                                                  | Failed |
        | status.containerStatuses[name=main].restartCount              | 0      |
        | status.containerStatuses[name=main].state.terminated.exitCode | 137    |

    @id:probes.16 @core @needs:pods.fault
    Scenario: A program that hangs is killed, as it does not obey, and started again
      Given a Pod "web" with:
        | field                              | value                                                        |
        | spec.terminationGracePeriodSeconds | 5                                                            |
        | spec.containers[0].image           | test/agnhost                                                 |
        | spec.containers[0].args            | [netexec]                                                    |
        | spec.containers[0].livenessProbe   | {httpGet: {path: /healthz, port: 8080}, periodSeconds: 2}    |
      And the Pod "web" runs
      When the container "main" of the Pod "web" hangs
      Then within 1 minute the Pod "web" has:
        | field                                                             | value |
        | status.containerStatuses[name=main].restartCount                  | 1     |
        | status.containerStatuses[name=main].lastState.terminated.exitCode | 137   |
        | status.containerStatuses[name=main].ready                         | true  |

    @id:probes.17 @core @needs:pods.fault
    Scenario: A program that hangs, and is not asked, is left alone
      Given a Pod "web" with:
        | field                    | value        |
        | spec.containers[0].image | test/agnhost |
        | spec.containers[0].args  | [netexec]    |
      And the Pod "web" runs
      When the container "main" of the Pod "web" hangs
      Then for 30 seconds the Pod "web" still has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 0     |
        | status.containerStatuses[name=main].ready        | true  |

    @id:probes.18 @core @needs:pods.fault
    Scenario: A container whose liveness probe fails is restarted, and asked anew
      Given a Pod "web" with:
        | field                              | value                                                     |
        | spec.terminationGracePeriodSeconds | 5                                                         |
        | spec.containers[0].image           | test/agnhost                                              |
        | spec.containers[0].args            | [netexec]                                                 |
        | spec.containers[0].livenessProbe   | {httpGet: {path: /healthz, port: 8080}, periodSeconds: 2} |
      And the Pod "web" runs
      When the liveness probe of the container "main" of the Pod "web" fails
      Then within 1 minute the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 1     |
        | status.containerStatuses[name=main].ready        | true  |
      And for 20 seconds the Pod "web" still has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 1     |

  @req:KLT-3
  Rule: A container that fails its readinessProbe makes the Pod not Ready, without restart

    @id:probes.09 @core
    Scenario: A Pod is not ready until its probe has succeeded
      Given a Pod "web" with:
        | field                             | value                                                    |
        | spec.containers[0].readinessProbe | {tcpSocket: {port: 81}, periodSeconds: 1}                |
      When 15 seconds pass
      Then for 10 seconds the Pod "web" still has:
        | field                                          | value              |
        | status.phase                                   | Running            |
        | status.conditions[type=Ready].status           | "False"            |
        | status.conditions[type=Ready].reason           | ContainersNotReady |
        | status.conditions[type=ContainersReady].status | "False"            |
        | status.containerStatuses[name=main].ready      | false              |
        | status.containerStatuses[name=main].restartCount | 0                |

    @id:probes.10 @core
    Scenario: A Pod turns unready with its probe, and ready again, and is not restarted
      Given a Service "web"
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          containers:
            - name: main
              image: test/busybox
              command:
                - sh
                - -c
                - touch /tmp/well; sleep 20; rm /tmp/well; sleep 20; touch /tmp/well; sleep 3600
              readinessProbe: {exec: {command: [cat, /tmp/well]}, periodSeconds: 1, failureThreshold: 2}
        """
      Then within 1 minute the readiness of the Pod "web" has been "yes, no, yes"
      And the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 0     |

    @id:probes.11 @core
    Scenario: As many successes in a row as the threshold says make it ready
      Given a Pod "web" with:
        | field                             | value                                                                |
        | spec.containers[0].image          | test/busybox                                                         |
        | spec.containers[0].command        | [sleep, "3600"]                                                      |
        | spec.containers[0].readinessProbe | {exec: {command: [sh, -c, "if [ -e /tmp/x ]; then rm /tmp/x; exit 1; else touch /tmp/x; fi"]}, periodSeconds: 2, successThreshold: 2} |
      When 15 seconds pass
      Then for 15 seconds the Pod "web" still has:
        | field                                     | value   |
        | status.phase                              | Running |
        | status.containerStatuses[name=main].ready | false   |

    @id:probes.12 @core
    Scenario: A Pod is ready when all its containers are
      Given a Pod "web" with:
        """
        spec:
          containers:
            - {name: well, image: "registry.k8s.io/pause:3.10"}
            - {name: ill, image: "registry.k8s.io/pause:3.10", readinessProbe: {tcpSocket: {port: 81}, periodSeconds: 1}}
        """
      When 15 seconds pass
      Then for 10 seconds the Pod "web" still has:
        | field                                     | value   |
        | status.containerStatuses[name=well].ready | true    |
        | status.containerStatuses[name=ill].ready  | false   |
        | status.conditions[type=Ready].status      | "False" |

    @id:probes.19 @core @needs:pods.fault
    Scenario Outline: A Pod whose program hangs is not ready, as its probe (<how>) tells
      Given a Pod "web" with:
        | field                             | value                              |
        | spec.containers[0].image          | test/agnhost                       |
        | spec.containers[0].args           | [netexec]                          |
        | spec.containers[0].readinessProbe | {<probe>, periodSeconds: 2}        |
      And the Pod "web" has come to have:
        | field                                | value  |
        | status.conditions[type=Ready].status | "True" |
      When the container "main" of the Pod "web" hangs
      Then within 1 minute the Pod "web" has:
        | field                                            | value   |
        | status.conditions[type=Ready].status             | "False" |
        | status.containerStatuses[name=main].restartCount | 0       |

      Examples:
        | how       | probe                                 |
        | a request | httpGet: {path: /healthz, port: 8080} |
        | a command | exec: {command: [hostname]}           |

    @id:probes.20 @core @needs:pods.fault
    Scenario: A Pod whose readiness probe fails is not ready, and runs on
      Given a Pod "web" with:
        | field                             | value                                                     |
        | spec.containers[0].image          | test/agnhost                                              |
        | spec.containers[0].args           | [netexec]                                                 |
        | spec.containers[0].readinessProbe | {httpGet: {path: /healthz, port: 8080}, periodSeconds: 2} |
      And the Pod "web" has come to have:
        | field                                | value  |
        | status.conditions[type=Ready].status | "True" |
      When the readiness probe of the container "main" of the Pod "web" fails
      Then within 30 seconds the Pod "web" has:
        | field                                            | value   |
        | status.conditions[type=Ready].status             | "False" |
        | status.phase                                     | Running |
      And for 20 seconds the Pod "web" still has:
        | field                                            | value   |
        | status.conditions[type=Ready].status             | "False" |
        | status.containerStatuses[name=main].restartCount | 0       |

    @id:probes.21 @core @needs:pods.fault
    Scenario: As soon as the probe succeeds again the Pod is ready
      Given a Pod "web" with:
        | field                             | value                                                     |
        | spec.containers[0].image          | test/agnhost                                              |
        | spec.containers[0].args           | [netexec]                                                 |
        | spec.containers[0].readinessProbe | {httpGet: {path: /healthz, port: 8080}, periodSeconds: 2} |
      And the Pod "web" has come to have:
        | field                                | value  |
        | status.conditions[type=Ready].status | "True" |
      And the readiness probe of the container "main" of the Pod "web" has failed since
      And the Pod "web" has come to have:
        | field                                | value   |
        | status.conditions[type=Ready].status | "False" |
      When the readiness probe of the container "main" of the Pod "web" succeeds again
      Then within 15 seconds the Pod "web" has:
        | field                                | value  |
        | status.conditions[type=Ready].status | "True" |

  @req:KLT-9
  Rule: Until the startupProbe has succeeded no other probe is asked; if it does not, the container is restarted

    @id:probes.13 @core
    Scenario: A slow start is not taken for death
      Given a Pod "web" with:
        """
        spec:
          containers:
            - name: main
              image: test/busybox
              command: [sh, -c, "sleep 10; touch /tmp/well; sleep 3600"]
              livenessProbe: {exec: {command: [cat, /tmp/well]}, periodSeconds: 1, failureThreshold: 1}
              startupProbe: {exec: {command: [cat, /tmp/well]}, periodSeconds: 1, failureThreshold: 60}
        """
      When 10 seconds pass
      Then within 1 minute the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].started      | true  |
        | status.containerStatuses[name=main].ready        | true  |
        | status.containerStatuses[name=main].restartCount | 0     |

    @id:probes.14 @core
    Scenario: A container that does not start in time is restarted
      When a Pod "web" is created with:
        | field                           | value                                                           |
        | spec.containers[0].startupProbe | {tcpSocket: {port: 81}, periodSeconds: 1, failureThreshold: 3}  |
      Then within 1 minute the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 1     |

    @id:probes.15 @core
    Scenario: Until then the container has not started, and is not ready
      Given a Pod "web" with:
        | field                           | value                                                            |
        | spec.containers[0].startupProbe | {tcpSocket: {port: 81}, periodSeconds: 1, failureThreshold: 100} |
      When 10 seconds pass
      Then for 10 seconds the Pod "web" still has:
        | field                                            | value   |
        | status.phase                                     | Running |
        | status.containerStatuses[name=main].started      | false   |
        | status.containerStatuses[name=main].ready        | false   |
