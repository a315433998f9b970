Feature: Defaults
  Most of what an object could say may be left out. The server fills in what stands for it, when the object is
  written, so that everybody who reads the object afterwards finds the same said in full.

  @req:API-25
  Rule: What a Pod leaves out is filled in

    @id:defaults.01 @core
    Scenario: A Pod that says the least is read back in full
      When this Pod is created:
        """
        metadata: {name: web}
        spec:
          schedulingGates: [{name: example.com/hold}]
          containers: [{name: main, image: "registry.k8s.io/pause:3.10", ports: [{containerPort: 80}]}]
        """
      Then the request is accepted
      And the Pod "web" has:
        | field                                       | value                |
        | spec.restartPolicy                          | Always               |
        | spec.dnsPolicy                              | ClusterFirst         |
        | spec.schedulerName                          | default-scheduler    |
        | spec.terminationGracePeriodSeconds          | 30                   |
        | spec.enableServiceLinks                     | true                 |
        | spec.securityContext                        | {}                   |
        | spec.containers[0].ports[0].protocol        | TCP                  |
        | spec.containers[0].resources                | {}                   |
        | spec.containers[0].terminationMessagePath   | /dev/termination-log |
        | spec.containers[0].terminationMessagePolicy | File                 |
        | status.phase                                | Pending              |
        | status.qosClass                             | BestEffort           |

    @id:defaults.02 @core
    Scenario Outline: The image <image> is pulled <policy>
      When a Pod "web" is created with:
        | field                    | value                      |
        | spec.schedulingGates     | [{name: example.com/hold}] |
        | spec.containers[0].image | <image>                    |
      Then the request is accepted
      And the Pod "web" has:
        | field                              | value    |
        | spec.containers[0].imagePullPolicy | <policy> |

      Examples:
        | image                           | policy       |
        | example.com/web                 | Always       |
        | example.com/web:latest          | Always       |
        | example.com/web:1.0             | IfNotPresent |
        | example.com:5000/web            | Always       |

    @id:defaults.03 @core
    Scenario: What a container is limited to is what it requests, unless it says otherwise
      When a Pod "web" is created with:
        | field                               | value                      |
        | spec.schedulingGates                | [{name: example.com/hold}] |
        | spec.containers[0].resources.limits | {cpu: "1", memory: 1Gi}    |
        | spec.containers[0].resources.requests.cpu | 500m                 |
      Then the request is accepted
      And the Pod "web" has:
        | field                                        | value     |
        | spec.containers[0].resources.requests.cpu    | 500m      |
        | spec.containers[0].resources.requests.memory | 1Gi       |
        | status.qosClass                              | Burstable |

    @id:defaults.04 @core
    Scenario: A probe gets its rhythm
      When a Pod "web" is created with:
        | field                             | value                                 |
        | spec.schedulingGates              | [{name: example.com/hold}]            |
        | spec.containers[0].readinessProbe | {httpGet: {port: 80}, periodSeconds: 3} |
      Then the request is accepted
      And the Pod "web" has:
        | field                                              | value |
        | spec.containers[0].readinessProbe.httpGet.path     | /     |
        | spec.containers[0].readinessProbe.httpGet.scheme   | HTTP  |
        | spec.containers[0].readinessProbe.periodSeconds    | 3     |
        | spec.containers[0].readinessProbe.timeoutSeconds   | 1     |
        | spec.containers[0].readinessProbe.successThreshold | 1     |
        | spec.containers[0].readinessProbe.failureThreshold | 3     |

    @id:defaults.05 @core
    Scenario: Volumes of configuration get the mode of their files, one that says nothing is an empty directory
      When a Pod "web" is created with:
        | field                | value                      |
        | spec.schedulingGates | [{name: example.com/hold}] |
        | spec.volumes         | [{name: a, secret: {secretName: s}}, {name: b, configMap: {name: c}}, {name: d}] |
      Then the request is accepted
      And the Pod "web" has:
        | field                                 | value |
        | spec.volumes[name=a].secret.defaultMode    | 420 |
        | spec.volumes[name=b].configMap.defaultMode | 420 |
        | spec.volumes[name=d].emptyDir              | {}  |

    @id:defaults.06 @core
    Scenario: What the owner says is left as it is
      When a Pod "web" is created with:
        | field                                         | value                      |
        | spec.schedulingGates                          | [{name: example.com/hold}] |
        | spec.restartPolicy                            | Never                      |
        | spec.terminationGracePeriodSeconds            | 5                          |
        | spec.enableServiceLinks                       | false                      |
        | spec.containers[0].imagePullPolicy            | Never                      |
        | spec.containers[0].terminationMessagePolicy   | FallbackToLogsOnError      |
      Then the request is accepted
      And the Pod "web" has:
        | field                                       | value                 |
        | spec.restartPolicy                          | Never                 |
        | spec.terminationGracePeriodSeconds          | 5                     |
        | spec.enableServiceLinks                     | false                 |
        | spec.containers[0].imagePullPolicy          | Never                 |
        | spec.containers[0].terminationMessagePolicy | FallbackToLogsOnError |

  @req:API-25
  Rule: What a workload leaves out is filled in, in its template too

    @id:defaults.07 @core
    Scenario: A Deployment has one Pod and replaces a quarter at a time
      When a Deployment "web" is created with:
        | field       | value |
        | spec.paused | true  |
      Then the request is accepted
      And the Deployment "web" has:
        | field                                      | value         |
        | spec.replicas                              | 1             |
        | spec.strategy.type                         | RollingUpdate |
        | spec.strategy.rollingUpdate.maxSurge       | 25%           |
        | spec.strategy.rollingUpdate.maxUnavailable | 25%           |
        | spec.revisionHistoryLimit                  | 10            |
        | spec.progressDeadlineSeconds               | 600           |
        | spec.template.spec.restartPolicy           | Always        |
        | spec.template.spec.containers[0].imagePullPolicy | IfNotPresent |

    @id:defaults.08 @core
    Scenario: A Deployment that recreates its Pods gets no rolling update
      When a Deployment "web" is created with:
        | field         | value            |
        | spec.replicas | 0                |
        | spec.strategy | {type: Recreate} |
      Then the request is accepted
      And the Deployment "web" has:
        | field         | value            |
        | spec.replicas | 0                |
        | spec.strategy | {type: Recreate} |

    @id:defaults.09 @core
    Scenario: A StatefulSet has its members come and be updated in order
      When a StatefulSet "web" is created with:
        | field                           | value          |
        | spec.template.spec.nodeSelector | {nowhere: "1"} |
      Then the request is accepted
      And the StatefulSet "web" has:
        | field                                       | value         |
        | spec.replicas                               | 1             |
        | spec.podManagementPolicy                    | OrderedReady  |
        | spec.updateStrategy.type                    | RollingUpdate |
        | spec.updateStrategy.rollingUpdate.partition | 0             |
        | spec.revisionHistoryLimit                   | 10            |

    @id:defaults.10 @core
    Scenario: A DaemonSet replaces one Pod at a time
      When a DaemonSet "web" is created with:
        | field                           | value          |
        | spec.template.spec.nodeSelector | {nowhere: "1"} |
      Then the request is accepted
      And the DaemonSet "web" has:
        | field                                            | value         |
        | spec.updateStrategy.type                         | RollingUpdate |
        | spec.updateStrategy.rollingUpdate.maxUnavailable | 1             |
        | spec.updateStrategy.rollingUpdate.maxSurge       | 0             |

    @id:defaults.11 @core
    Scenario: A Job runs one Pod to its end and tries six times again
      When a Job "once" is created with:
        | field        | value |
        | spec.suspend | true  |
      Then the request is accepted
      And the Job "once" has:
        | field               | value      |
        | spec.completions    | 1          |
        | spec.parallelism    | 1          |
        | spec.backoffLimit   | 6          |
        | spec.completionMode | NonIndexed |

    @id:defaults.12 @core
    Scenario: A ReplicationController selects what its template is labelled with
      When a ReplicationController "web" is created with:
        | field         | value    |
        | spec.replicas | 0        |
        | spec.selector | (absent) |
      Then the request is accepted
      And the ReplicationController "web" has:
        | field               | value      |
        | spec.selector       | {app: web} |
        | metadata.labels.app | web        |

  @req:API-25
  Rule: What Services, volumes, configuration and rules leave out is filled in

    @id:defaults.13 @core
    Scenario: A Service is reached at an address of its own, on TCP
      When a Service "web" is created with:
        | field      | value        |
        | spec.ports | [{port: 80}] |
      Then the request is accepted
      And the Service "web" has:
        | field                      | value     |
        | spec.type                  | ClusterIP |
        | spec.ports[0].protocol     | TCP       |
        | spec.ports[0].targetPort   | 80        |
        | spec.sessionAffinity       | None      |
        | spec.internalTrafficPolicy | Cluster   |
        | spec.externalTrafficPolicy | (absent)  |

    @id:defaults.14 @core
    Scenario: Clients stay with the same Pod for three hours
      When a Service "web" is created with:
        | field                | value    |
        | spec.sessionAffinity | ClientIP |
      Then the request is accepted
      And the Service "web" has:
        | field                                              | value |
        | spec.sessionAffinityConfig.clientIP.timeoutSeconds | 10800 |

    @id:defaults.15 @core
    Scenario Outline: A <kind> has <field> <value>
      When a <kind> "plain" is created
      Then the request is accepted
      And the <kind> "plain" has:
        | field   | value   |
        | <field> | <value> |

      Examples:
        | kind                  | field                                | value                |
        | Secret                | type                                 | Opaque               |
        | PersistentVolumeClaim | spec.volumeMode                      | Filesystem           |
        | PersistentVolume      | spec.volumeMode                      | Filesystem           |
        | StorageClass          | reclaimPolicy                        | Delete               |
        | StorageClass          | volumeBindingMode                    | Immediate            |
        | PriorityClass         | preemptionPolicy                     | PreemptLowerPriority |
        | CronJob               | spec.concurrencyPolicy               | Allow                |
        | CronJob               | spec.successfulJobsHistoryLimit      | 3                    |
        | Namespace             | metadata.labels["kubernetes.io/metadata.name"] | plain      |
        | Namespace             | spec.finalizers                      | [kubernetes]         |

    @id:defaults.16 @core
    Scenario: What is given to a Secret as text is kept as data
      When a Secret "password" is created with:
        | field               | value |
        | stringData.username | me    |
      Then the request is accepted
      And the Secret "password" has:
        | field         | value    |
        | data.username | bWU=     |
        | stringData    | (absent) |

    @id:defaults.17 @core
    Scenario: The limits of a LimitRange follow from each other
      When a LimitRange "bounds" is created with:
        """
        spec:
          limits: [{type: Container, max: {cpu: "1"}, min: {memory: 64Mi}}]
        """
      Then the request is accepted
      And the LimitRange "bounds" has:
        | field                         | value                    |
        | spec.limits[0].default        | {cpu: "1"}               |
        | spec.limits[0].defaultRequest | {cpu: "1", memory: 64Mi} |

    @id:defaults.18 @core
    Scenario: A NetworkPolicy restricts what comes in, and what goes out if it says so
      When a NetworkPolicy "closed" is created with:
        """
        spec: {podSelector: {}, egress: [{ports: [{port: 53}]}]}
        """
      Then the request is accepted
      And the NetworkPolicy "closed" has:
        | field                            | value             |
        | spec.policyTypes                 | [Ingress, Egress] |
        | spec.egress[0].ports[0].protocol | TCP               |

    @id:defaults.19 @core
    Scenario: What an update leaves out is filled in, too
      Given a Service "web" with:
        | field                    | value |
        | spec.ports[0].targetPort | 8080  |
      When the Service "web" is updated:
        | field                    | value    |
        | spec.ports[0].targetPort | (absent) |
        | spec.ports[0].protocol   | (absent) |
      Then the request is accepted
      And the Service "web" has:
        | field                    | value |
        | spec.ports[0].targetPort | 80    |
        | spec.ports[0].protocol   | TCP   |

  @req:API-25
  Rule: What is empty says nothing, unless to be empty is a choice

    @id:defaults.20 @core
    Scenario: Empty lists and maps, empty words, noughts and noes are left out
      When a Deployment "web" is created with:
        """
        metadata: {labels: {}}
        spec:
          replicas: 0
          paused: false
          template:
            spec:
              hostNetwork: false
              nodeName: ""
              nodeSelector: {}
              containers:
              - name: main
                image: "registry.k8s.io/pause:3.10"
                args: []
                ports: [{containerPort: 80, hostPort: 0}]
        """
      Then the request is accepted
      And the Deployment "web" has:
        | field                                                | value    |
        | metadata.labels                                      | (absent) |
        | spec.paused                                          | (absent) |
        | spec.template.spec.hostNetwork                       | (absent) |
        | spec.template.spec.nodeName                          | (absent) |
        | spec.template.spec.nodeSelector                      | (absent) |
        | spec.template.spec.containers[0].args                | (absent) |
        | spec.template.spec.containers[0].ports[0].hostPort   | (absent) |

    @id:defaults.21 @core
    Scenario: To be nought, no or empty can be a choice
      When a Deployment "web" is created with:
        """
        spec:
          replicas: 0
          template:
            spec:
              nodeSelector: {nowhere: ""}
              enableServiceLinks: false
              terminationGracePeriodSeconds: 0
              volumes: [{name: scratch, emptyDir: {}}]
        """
      Then the request is accepted
      And the Deployment "web" has:
        | field                                            | value         |
        | spec.replicas                                    | 0             |
        | spec.template.spec.nodeSelector                  | {nowhere: ""} |
        | spec.template.spec.enableServiceLinks            | false         |
        | spec.template.spec.terminationGracePeriodSeconds | 0             |
        | spec.template.spec.volumes[0].emptyDir           | {}            |

    @id:defaults.22 @core
    Scenario: The last label to go takes the labels with it
      Given a ConfigMap "settings" with:
        | field               | value |
        | metadata.labels.app | web   |
      When the ConfigMap "settings" is changed by the merge patch:
        """
        metadata: {labels: {app: null}}
        """
      Then the request is accepted
      And the ConfigMap "settings" has:
        | field           | value    |
        | metadata.labels | (absent) |

    @id:defaults.23 @core
    Scenario: To add what is empty is no change
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      And the version of the ConfigMap "settings" is called "before"
      When the ConfigMap "settings" is updated:
        | field                | value |
        | metadata.annotations | {}    |
        | binaryData           | {}    |
      Then the request is accepted
      And the ConfigMap "settings" is still at version "before"
