Feature: Validation of Pods
  A Pod that breaks a rule of its kind is refused when it is created, with each field that breaks one, so that nothing
  that could never run is stored. The same rules hold for the Pods that are only described yet, in a template.

  @req:API-5
  Rule: The containers of a Pod can be told apart, and each says what it needs to be run

    @id:validation-pods.01 @core
    Scenario: A Pod that keeps the rules is stored as it was given
      When a Pod "web" is created with:
        """
        spec:
          schedulingGates: [{name: example.com/hold}]
          initContainers:
            - {name: setup, image: "registry.k8s.io/pause:3.10"}
          containers:
            - name: main
              image: registry.k8s.io/pause:3.10
              ports: [{name: http, containerPort: 80}]
              env:
                - {name: COLOR, value: blue}
                - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
              resources: {requests: {cpu: 100m}, limits: {cpu: 200m, memory: 64Mi}}
              readinessProbe: {httpGet: {port: http}}
              volumeMounts: [{name: scratch, mountPath: /scratch}]
          volumes: [{name: scratch, emptyDir: {}}]
          tolerations: [{key: dedicated, operator: Equal, value: web, effect: NoSchedule}]
        """
      Then the request is accepted
      And the Pod "web" has:
        | field                                                 | value      |
        | spec.initContainers[0].name                           | setup      |
        | spec.containers[0].ports[0].name                      | http       |
        | spec.containers[0].env[1].valueFrom.fieldRef.fieldPath | metadata.name |
        | spec.containers[0].resources.limits.memory            | 64Mi       |
        | spec.containers[0].readinessProbe.httpGet.port        | http       |
        | spec.containers[0].volumeMounts[name=scratch].mountPath | /scratch |
        | spec.volumes[name=scratch].emptyDir                   | {}         |
        | spec.tolerations[key=dedicated].value                 | web        |

    @id:validation-pods.02 @core
    Scenario Outline: A Pod is refused unless <rule>
      When a Pod "web" is created with:
        | field   | value   |
        | <field> | <value> |
      Then the request is refused as Invalid for:
        | field   | cause   |
        | <named> | <cause> |
      And there is no Pod "web"

      Examples:
        | rule                                        | field                              | value                           | named                              | cause         |
        | it has a container                          | spec.containers                    | []                              | spec.containers                    | required      |
        | a container has a name                      | spec.containers[0].name            | ""                              | spec.containers[0].name            | required      |
        | a container's name is one label of DNS      | spec.containers[0].name            | main.web                        | spec.containers[0].name            | invalid       |
        | two containers have two names               | spec.containers[1]                 | {name: main, image: web}        | spec.containers[1].name            | duplicate     |
        | init containers do not take them, too         | spec.initContainers                | [{name: main, image: web}]      | spec.initContainers[0].name        | duplicate     |
        | a container has an image                    | spec.containers[0].image           | ""                              | spec.containers[0].image           | required      |
        | an image is pulled in one of three ways     | spec.containers[0].imagePullPolicy | Sometimes                       | spec.containers[0].imagePullPolicy | not supported |
        | a port has a number                         | spec.containers[0].ports           | [{name: http}]                  | spec.containers[0].ports[0].containerPort | required |
        | no port is above 65535                      | spec.containers[0].ports           | [{containerPort: 65536}]        | spec.containers[0].ports[0].containerPort | invalid |
        | a port's name is in lower case              | spec.containers[0].ports           | [{containerPort: 80, name: WEB}] | spec.containers[0].ports[0].name  | invalid       |
        | a port's protocol is one of three           | spec.containers[0].ports           | [{containerPort: 80, protocol: ICMP}] | spec.containers[0].ports[0].protocol | not supported |
        | a variable has a name                       | spec.containers[0].env             | [{name: "", value: blue}]       | spec.containers[0].env[0].name     | required      |
        | the name of a variable holds no =           | spec.containers[0].env             | [{name: "A=B"}]                 | spec.containers[0].env[0].name     | invalid       |
        | a variable has a value or a source          | spec.containers[0].env             | [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}] | spec.containers[0].env[0].valueFrom | invalid |
        | no more is requested than the limit allows     | spec.containers[0].resources       | {requests: {cpu: "2"}, limits: {cpu: "1"}} | spec.containers[0].resources.requests | invalid |
        | no resource is negative                     | spec.containers[0].resources       | {requests: {memory: "-1"}}      | spec.containers[0].resources.requests[memory] | invalid |
        | a probe says what it does                   | spec.containers[0].livenessProbe   | {periodSeconds: 5}              | spec.containers[0].livenessProbe   | required      |
        | a probe's port is a port                    | spec.containers[0].livenessProbe   | {tcpSocket: {port: 0}}          | spec.containers[0].livenessProbe.tcpSocket.port | invalid |
        | one success is enough for its liveness probes  | spec.containers[0].livenessProbe   | {tcpSocket: {port: 80}, successThreshold: 2} | spec.containers[0].livenessProbe.successThreshold | invalid |
        | what is mounted is a volume of the Pod      | spec.containers[0].volumeMounts    | [{name: data, mountPath: /data}] | spec.containers[0].volumeMounts[0].name | not found |
        | two volumes have two names                  | spec.volumes                       | [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}] | spec.volumes[1].name | duplicate |
        | a volume is of one type                     | spec.volumes                       | [{name: a, emptyDir: {}, hostPath: {path: /a}}] | spec.volumes[0].hostPath | forbidden |
        | a ConfigMap's volume names the ConfigMap    | spec.volumes                       | [{name: a, configMap: {}}]      | spec.volumes[0].configMap.name     | required      |

    @id:validation-pods.03 @core
    Scenario Outline: A Pod is refused where it does not keep to this: <rule>
      When a Pod "web" is created with:
        | field   | value   |
        | <field> | <value> |
      Then the request is refused as Invalid for:
        | field   | cause   |
        | <named> | <cause> |
      And there is no Pod "web"

      Examples:
        | rule                                     | field                      | value                       | named                         | cause         |
        | it is restarted in one of three ways     | spec.restartPolicy         | Sometimes                   | spec.restartPolicy            | not supported |
        | its deadline is to come                  | spec.activeDeadlineSeconds | 0                           | spec.activeDeadlineSeconds    | invalid       |
        | it finds names in one of four ways       | spec.dnsPolicy             | Guess                       | spec.dnsPolicy                | not supported |
        | it selects nodes by labels               | spec.nodeSelector          | {"no label": x}             | spec.nodeSelector             | invalid       |
        | tolerations compare in known ways        | spec.tolerations           | [{key: a, operator: Like}]  | spec.tolerations[0].operator  | not supported |
        | tolerations without a key tolerate all   | spec.tolerations           | [{operator: Equal, value: x}] | spec.tolerations[0].operator | invalid      |
        | only an eviction can be put off          | spec.tolerations           | [{key: a, operator: Exists, effect: NoSchedule, tolerationSeconds: 5}] | spec.tolerations[0].effect | invalid |
        | values are needed to be in them          | spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms | [{matchExpressions: [{key: zone, operator: In}]}] | spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values | required |
        | weights end at 100                       | spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution | [{weight: 101, preference: {matchExpressions: [{key: zone, operator: Exists}]}}] | spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight | invalid |
        | a topology is the label of nodes         | spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution | [{topologyKey: "no label"}] | spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey | invalid |
        | some skew is always allowed              | spec.topologySpreadConstraints | [{maxSkew: 0, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}] | spec.topologySpreadConstraints[0].maxSkew | invalid |

    @id:validation-pods.04 @core
    Scenario Outline: The Pods that a <kind> describes are judged as Pods are
      When a <kind> "web" is created with:
        | field                                  | value     |
        | spec.template.spec.containers[0].image | ""        |
        | spec.template.spec.containers[0].imagePullPolicy | Sometimes |
      Then the request is refused as Invalid for:
        | field                                            | cause         |
        | spec.template.spec.containers[0].image           | required      |
        | spec.template.spec.containers[0].imagePullPolicy | not supported |
      And there is no <kind> "web"

      Examples:
        | kind                  |
        | Deployment            |
        | ReplicaSet            |
        | StatefulSet           |
        | DaemonSet             |
        | Job                   |
        | ReplicationController |

  @req:API-5
  Rule: Of what a Pod is to run, only a few fields can be changed afterwards

    Background:
      Given a Pod "web" with:
        | field                      | value                      |
        | spec.schedulingGates       | [{name: example.com/hold}] |
        | spec.activeDeadlineSeconds | 600                        |

    @id:validation-pods.05 @core
    Scenario Outline: <field> of a Pod cannot become <value>
      When the Pod "web" is updated:
        | field   | value   |
        | <field> | <value> |
      Then the request is refused as Invalid for:
        | field   | cause   |
        | <named> | <cause> |
      And the Pod "web" has:
        | field   | value |
        | <field> | <old> |

      Examples:
        | field                      | value                    | named                      | cause     | old      |
        | spec.containers[0].command | [sleep]                  | spec                       | forbidden | (absent) |
        | spec.containers[1]         | {name: side, image: web} | spec.containers            | forbidden | (absent) |
        | spec.restartPolicy         | Never                    | spec                       | forbidden | Always   |
        | spec.hostname              | web-0                    | spec                       | forbidden | (absent) |
        | spec.activeDeadlineSeconds | 601                      | spec.activeDeadlineSeconds | invalid   | 600      |

    @id:validation-pods.06 @core
    Scenario: The image, the deadline and the tolerations of a Pod can be changed
      When the Pod "web" is updated:
        | field                           | value                      |
        | spec.containers[0].image        | registry.k8s.io/pause:3.9  |
        | spec.activeDeadlineSeconds      | 300                        |
        | spec.tolerations[key=dedicated] | {key: dedicated, operator: Exists} |
      Then the request is accepted
      And the Pod "web" has:
        | field                                    | value                     |
        | spec.containers[0].image                 | registry.k8s.io/pause:3.9 |
        | spec.activeDeadlineSeconds               | 300                       |
        | spec.tolerations[key=dedicated].operator | Exists                    |

    @id:validation-pods.07 @core
    Scenario: A change that breaks the rules is refused as a whole
      When the Pod "web" is updated:
        | field                    | value |
        | metadata.labels.tier     | front |
        | spec.containers[0].image | ""    |
      Then the request is refused as Invalid for:
        | field                    | cause    |
        | spec.containers[0].image | required |
      And the Pod "web" has:
        | field                | value    |
        | metadata.labels.tier | (absent) |

  @req:API-5
  Rule: What is valid, but hardly meant so, is accepted with a warning

    @id:validation-pods.08 @core
    Scenario Outline: A Pod is warned that <warning>
      When a Pod "web" is created with:
        | field   | value   |
        | <field> | <value> |
      Then the request is accepted
      And a warning mentions "<told>"

      Examples:
        | warning                            | field                                      | value                                                                                          | told                             |
        | a variable hides another           | spec.containers[0].env                     | [{name: A, value: "1"}, {name: A, value: "2"}]                                                 | hides previous definition        |
        | two ports are the same             | spec.containers[0].ports                   | [{containerPort: 80, name: a}, {containerPort: 80, name: b}]                                   | duplicate port definition        |
        | bytes are whole                    | spec.containers[0].resources.limits.memory | 100m                                                                                           | fractional byte value            |
        | no Pod matches what is not there   | spec.topologySpreadConstraints             | [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]                           | a null labelSelector             |
        | a label has been replaced          | spec.nodeSelector                          | {beta.kubernetes.io/os: linux}                                                                 | deprecated since v1.14            |

    @id:validation-pods.09 @core
    Scenario: A template is warned of as its Pods would be, and of a grace below nothing, too
      When a Deployment "web" is created with:
        | field                                            | value                                          |
        | spec.replicas                                    | 0                                              |
        | spec.template.spec.terminationGracePeriodSeconds | -5                                             |
        | spec.template.spec.containers[0].env             | [{name: A, value: "1"}, {name: A, value: "2"}] |
      Then the request is accepted
      And a warning mentions "spec.template.spec.terminationGracePeriodSeconds"
      And a warning mentions "spec.template.spec.containers[0].env[1]"

    @id:validation-pods.10 @core
    Scenario: A change that leaves the template as it was brings no warning
      Given a Deployment "web" with:
        | field                                | value                                          |
        | spec.replicas                        | 0                                              |
        | spec.template.spec.containers[0].env | [{name: A, value: "1"}, {name: A, value: "2"}] |
      When the Deployment "web" is updated:
        | field               | value |
        | metadata.labels.app | db    |
      Then the request is accepted
      And there is no warning
