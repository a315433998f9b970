Feature: From a binding to running containers
  A kubelet watches the Pods that are bound to its node. For each it makes a sandbox, pulls the images and starts the
  containers. What keeps a container from starting stands in its status, and is told by an Event.

  @req:API-7
  Rule: A kubelet starts the containers of Pods bound to its node, and of no other

    @id:starting.01 @core
    Scenario: A Pod that is bound to a node by its spec runs there, without a scheduler
      Given a ready node, called "worker"
      When a Pod "web" is created with:
        | field         | value  |
        | spec.nodeName | worker |
      Then within 1 minute the Pod "web" has:
        | field                                                 | value     |
        | status.phase                                          | Running   |
        | status.podIP                                          | (present) |
        | status.hostIP                                         | (present) |
        | status.startTime                                      | (present) |
        | status.containerStatuses[name=main].state.running     | (present) |
        | status.containerStatuses[name=main].containerID       | (present) |
        | status.containerStatuses[name=main].imageID           | (present) |
        | status.containerStatuses[name=main].restartCount      | 0         |

    @id:starting.02 @core
    Scenario: A Pod that no node has is not started
      When a Pod "web" is created with:
        | field                | value                       |
        | spec.schedulingGates | [{name: gherkube.dev/wait}] |
      Then for 20 seconds the Pod "web" still has:
        | field            | value    |
        | status.phase     | Pending  |
        | status.podIP     | (absent) |
        | status.startTime | (absent) |

  @req:SCH-3
  Rule: A bound Pod's image is pulled and its containers started; an image that cannot be pulled is reported

    @id:starting.03 @core
    Scenario: Each step of the way is told by an Event
      Given a Pod "web" with:
        | field                              | value        |
        | spec.containers[0].image           | test/busybox |
        | spec.containers[0].imagePullPolicy | Always       |
        | spec.containers[0].command         | [sleep, "3600"] |
      When 10 seconds pass
      Then within 1 minute an Event "Pulling" tells of the Pod "web"
      And within 10 seconds an Event "Pulled" tells of the Pod "web"
      And within 10 seconds an Event "Created" tells of the Pod "web"
      And within 10 seconds an Event "Started" tells of the Pod "web"

    @id:starting.04 @core
    Scenario Outline: An image that does not exist leaves its container waiting, as <reason>
      When a Pod "web" is created with:
        | field                    | value                                    |
        | spec.containers[0].image | registry.k8s.io/gherkube-no-such-image:1 |
      Then within 1 minute the Pod "web" has:
        | field                                                    | value    |
        | status.phase                                             | Pending  |
        | status.containerStatuses[name=main].state.waiting.reason | <reason> |
      And within 10 seconds an Event "Failed" tells of the Pod "web"

      Examples:
        | reason           |
        | ErrImagePull     |
        | ImagePullBackOff |

    @id:starting.05 @core
    Scenario: One container that cannot be pulled does not keep the other from running
      When a Pod "web" is created with:
        """
        spec:
          containers:
            - {name: bad, image: "registry.k8s.io/gherkube-no-such-image:1"}
            - {name: good, image: "registry.k8s.io/pause:3.10"}
        """
      Then within 1 minute the Pod "web" has:
        | field                                                | value            |
        | status.phase                                         | Pending          |
        | status.containerStatuses[name=good].ready            | true             |
        | status.containerStatuses[name=bad].state.waiting.reason | ImagePullBackOff |

    @id:starting.06 @core
    Scenario: A name that is no image's is told as such
      When a Pod "web" is created with:
        | field                    | value        |
        | spec.containers[0].image | UPPER/case:1 |
      Then within 1 minute the Pod "web" has:
        | field                                                    | value            |
        | status.containerStatuses[name=main].state.waiting.reason | InvalidImageName |
      And within 10 seconds an Event "InspectFailed" tells of the Pod "web"

    @id:starting.07 @core
    Scenario: An image that must never be pulled, and is not there, is not pulled
      When a Pod "web" is created with:
        | field                              | value                                    |
        | spec.containers[0].image           | registry.k8s.io/gherkube-no-such-image:1 |
        | spec.containers[0].imagePullPolicy | Never                                    |
      Then within 1 minute the Pod "web" has:
        | field                                                    | value             |
        | status.containerStatuses[name=main].state.waiting.reason | ErrImageNeverPull |

    @id:starting.08 @core
    Scenario: A corrected image is pulled, and the Pod runs
      Given a Pod "web" with:
        | field                    | value                                    |
        | spec.containers[0].image | registry.k8s.io/gherkube-no-such-image:1 |
      And the Pod "web" has come to have:
        | field                                                    | value |
        | status.containerStatuses[name=main].state.waiting.reason | /ErrImagePull/    |
      When the Pod "web" is updated:
        | field                    | value                      |
        | spec.containers[0].image | registry.k8s.io/pause:3.10 |
      Then within 1 minute the Pod "web" has:
        | field                                     | value   |
        | status.phase                              | Running |
        | status.containerStatuses[name=main].ready | true    |

    @id:starting.09 @core
    Scenario: A program that is not in the image is a failed start
      When a Pod "web" is created with:
        | field                      | value             |
        | spec.restartPolicy         | Never             |
        | spec.containers[0].image   | test/busybox      |
        | spec.containers[0].command | [no-such-program] |
      Then within 1 minute the Pod "web" has:
        | field                                                        | value      |
        | status.phase                                                 | Failed     |
        | status.containerStatuses[name=main].state.terminated.reason   | StartError |
        | status.containerStatuses[name=main].state.terminated.exitCode | 128        |

  @req:KLT-8
  Rule: What a container's environment refers to must be there before it is made

    @id:starting.10 @core
    Scenario Outline: A container waits for the <kind> that its environment is from
      Given a Pod "web" with:
        | field                  | value                                      |
        | spec.containers[0].env | [{name: COLOR, valueFrom: {<ref>: {name: settings, key: color}}}] |
      And the Pod "web" has come to have:
        | field                                                    | value |
        | status.containerStatuses[name=main].state.waiting.reason | CreateContainerConfigError    |
      When a <kind> "settings" is created with:
        | field   | value          |
        | <field> | {color: blue}  |
      Then within 1 minute the Pod "web" has:
        | field        | value   |
        | status.phase | Running |

      Examples:
        | kind      | ref             | field      |
        | ConfigMap | configMapKeyRef | data       |
        | Secret    | secretKeyRef    | stringData |

    @id:starting.11 @core
    Scenario: What is optional is not waited for
      When a Pod "web" is created with:
        | field                      | value |
        | spec.restartPolicy         | Never |
        | spec.containers[0].image   | test/busybox |
        | spec.containers[0].env     | [{name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color, optional: true}}}] |
        | spec.containers[0].command | [sh, -c, 'echo "color: ${COLOR:-none}"'] |
      Then within 1 minute the log of the Pod "web" reads:
        """
        color: none
        """

    @id:starting.12 @core
    Scenario: A variable's value comes from where it says
      Given a ConfigMap "settings" with:
        | field | value                       |
        | data  | {color: blue, size: large}  |
      And a Secret "key" with:
        | field      | value         |
        | stringData | {word: sesame} |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          restartPolicy: Never
          containers:
            - name: main
              image: test/busybox
              command: [sh, -c, 'echo "$COLOR $SET_size $WORD $NAME $LABEL $CPU $GREETING"']
              resources: {limits: {cpu: 500m, memory: 32Mi}}
              envFrom:
                - {prefix: SET_, configMapRef: {name: settings}}
              env:
                - {name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color}}}
                - {name: WORD, valueFrom: {secretKeyRef: {name: key, key: word}}}
                - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
                - {name: LABEL, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
                - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
                - {name: GREETING, value: "hello, $(COLOR) $(NOBODY) $$(COLOR)"}
        """
      Then within 1 minute the log of the Pod "web" reads:
        """
        blue large sesame web web 500 hello, blue $(NOBODY) $(COLOR)
        """

    @id:starting.13 @core
    Scenario: The Services that are there are told to a container that starts
      Given a Service "store" with:
        | field      | value         |
        | spec.ports | [{port: 81}]  |
      When a Pod "web" is created with:
        | field                      | value                                   |
        | spec.restartPolicy         | Never                                   |
        | spec.containers[0].image   | test/busybox                            |
        | spec.containers[0].command | [sh, -c, 'echo "port $STORE_SERVICE_PORT"'] |
      Then within 1 minute the log of the Pod "web" reads:
        """
        port 81
        """

    @id:starting.14 @core
    Scenario: A Pod that does not want to hear of Services does not
      Given a Service "store" with:
        | field      | value         |
        | spec.ports | [{port: 81}]  |
      When a Pod "web" is created with:
        | field                      | value                                   |
        | spec.restartPolicy         | Never                                   |
        | spec.enableServiceLinks    | false                                   |
        | spec.containers[0].image   | test/busybox                            |
        | spec.containers[0].command | [sh, -c, 'echo "port ${STORE_SERVICE_PORT:-unknown}"'] |
      Then within 1 minute the log of the Pod "web" reads:
        """
        port unknown
        """

  @req:KLT-18
  Rule: A container runs as the user and with the groups that it, or else its Pod, asks for

    @id:starting.15 @core
    Scenario: What the container asks for stands before what its Pod does
      When a Pod "web" is created with:
        """
        spec:
          restartPolicy: Never
          securityContext: {runAsUser: 1001, runAsGroup: 2001}
          containers:
            - name: main
              image: test/busybox
              command: [sh, -c, "echo user $(id -u); echo group $(id -g)"]
              securityContext: {runAsUser: 1002}
        """
      Then within 1 minute the log of the container "main" of the Pod "web" reads:
        """
        user 1002
        group 2001
        """

    @id:starting.16 @core
    Scenario: It has the groups that its Pod adds, and that of its volumes
      When a Pod "web" is created with:
        """
        spec:
          restartPolicy: Never
          securityContext: {supplementalGroups: [3001], fsGroup: 3002}
          containers:
            - {name: main, image: test/busybox, command: [sh, -c, "for one in $(id -G); do echo in $one; done"]}
        """
      Then within 1 minute the log of the Pod "web" mentions "in 3001"
      And within 10 seconds the log of the Pod "web" mentions "in 3002"
