Feature: Subresources
  Parts of some objects are written by themselves: the status by whoever makes it true, the scale by whoever decides
  on the number, a Pod's node by the scheduler. Each such part changes nothing but itself.

  # Nobody acts on an Ingress of a class that does not exist, so that its status is the scenario's own.
  @req:API-23
  Rule: Status and specification are written apart

    @id:subresources.01 @core
    Scenario: Writing the status changes the status alone
      Given an Ingress "web" with:
        """
        spec: {ingressClassName: nobody, defaultBackend: {service: {name: web, port: {number: 80}}}}
        """
      When the status of the Ingress "web" is updated:
        | field                                 | value             |
        | status.loadBalancer.ingress           | [{ip: 192.0.2.1}] |
        | spec.defaultBackend.service.name      | other             |
      Then the request is accepted
      And the Ingress "web" has:
        | field                            | value             |
        | status.loadBalancer.ingress      | [{ip: 192.0.2.1}] |
        | spec.defaultBackend.service.name | web               |

    @id:subresources.02 @core
    Scenario: Writing the object leaves its status as it is
      Given an Ingress "web" with:
        """
        spec: {ingressClassName: nobody, defaultBackend: {service: {name: web, port: {number: 80}}}}
        """
      And somebody has changed the status of the Ingress "web":
        | field                       | value             |
        | status.loadBalancer.ingress | [{ip: 192.0.2.1}] |
      When the Ingress "web" is updated:
        | field                            | value             |
        | status.loadBalancer.ingress      | [{ip: 192.0.2.2}] |
        | spec.defaultBackend.service.name | other             |
      Then the request is accepted
      And the Ingress "web" has:
        | field                            | value             |
        | status.loadBalancer.ingress      | [{ip: 192.0.2.1}] |
        | spec.defaultBackend.service.name | other             |

    @id:subresources.03 @core
    Scenario: A creator does not say the status
      When an Ingress "web" is created with:
        """
        spec: {ingressClassName: nobody, defaultBackend: {service: {name: web, port: {number: 80}}}}
        status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}
        """
      Then the request is accepted
      And the Ingress "web" has:
        | field                       | value    |
        | status.loadBalancer.ingress | (absent) |

    @id:subresources.04 @core
    Scenario: A patch of the status changes the status alone
      Given a Pod "web" with:
        """
        spec: {schedulerName: nobody, activeDeadlineSeconds: 60, readinessGates: [{conditionType: example.com/warm}]}
        """
      When the status of the Pod "web" is changed by the strategic merge patch:
        """
        spec: {activeDeadlineSeconds: 30}
        status: {conditions: [{type: example.com/warm, status: "True"}]}
        """
      Then the request is accepted
      And the Pod "web" has:
        | field                                           | value  |
        | status.conditions[type=example.com/warm].status | "True" |
        | spec.activeDeadlineSeconds                      | 60     |

    @id:subresources.05 @core
    Scenario: A status from a version that is no longer the latest is refused
      Given an Ingress "web" with:
        """
        spec: {ingressClassName: nobody, defaultBackend: {service: {name: web, port: {number: 80}}}}
        """
      And the version of the Ingress "web" is called "old"
      And somebody has changed the Ingress "web":
        | field               | value |
        | metadata.labels.app | web   |
      When the status of the Ingress "web" is updated from version "old":
        | field                       | value             |
        | status.loadBalancer.ingress | [{ip: 192.0.2.1}] |
      Then the request is refused as Conflict
      And the Ingress "web" has:
        | field                       | value    |
        | status.loadBalancer.ingress | (absent) |

    @id:subresources.06 @core
    Scenario Outline: A change of <field> leaves the generation at <generation>
      Given an Ingress "web" with:
        """
        spec: {ingressClassName: nobody, defaultBackend: {service: {name: web, port: {number: 80}}}}
        """
      When the <part> "web" is updated:
        | field   | value   |
        | <field> | <value> |
      Then the request is accepted
      And the Ingress "web" has:
        | field               | value        |
        | metadata.generation | <generation> |

      Examples:
        | part                  | field                            | value             | generation |
        | Ingress               | spec.defaultBackend.service.name | other             | 2          |
        | Ingress               | metadata.labels                  | {app: web}        | 1          |
        | status of the Ingress | status.loadBalancer.ingress      | [{ip: 192.0.2.1}] | 1          |

    @id:subresources.41 @core
    Scenario: To a Deployment its annotations belong to what is wanted
      Given a Deployment "web" with:
        | field         | value |
        | spec.replicas | 0     |
      When the Deployment "web" is updated:
        | field                            | value   |
        | metadata.annotations.change-seen | monday  |
      Then the request is accepted
      And the Deployment "web" has:
        | field               | value |
        | metadata.generation | 2     |

    @id:subresources.07 @core
    Scenario: A kind without the part does not have it
      Given a ConfigMap "settings"
      When the scale of the ConfigMap "settings" is read
      Then the request is refused as NotFound

  # The scheduler named does not exist, so that the Pods which controllers make stay where they are.
  @req:API-23
  Rule: The scale of a workload is its number of replicas, wanted and present, with the selector that counts them

    @id:subresources.08 @core
    Scenario Outline: A <kind> has a scale
      Given a <kind> "web" with:
        | field                            | value  |
        | spec.replicas                    | 2      |
        | spec.template.spec.schedulerName | nobody |
      When the scale of the <kind> "web" is read
      Then the answer has:
        | field                    | value          |
        | apiVersion               | autoscaling/v1 |
        | kind                     | Scale          |
        | metadata.name            | web            |
        | metadata.resourceVersion | (present)      |
        | spec.replicas            | 2              |
        | status.replicas          | (present)      |
        | status.selector          | app=web        |

      Examples:
        | kind                  |
        | Deployment            |
        | ReplicaSet            |
        | StatefulSet           |
        | ReplicationController |

    @id:subresources.09 @core
    Scenario: Writing the scale changes the number of replicas alone
      Given a ReplicaSet "web" with:
        | field                            | value  |
        | spec.replicas                    | 0      |
        | spec.template.spec.schedulerName | nobody |
      When the scale of the ReplicaSet "web" is changed by the merge patch:
        """
        metadata: {labels: {app: db}}
        spec: {replicas: 2}
        """
      Then the answer has:
        | field         | value |
        | kind          | Scale |
        | spec.replicas | 2     |
      And the ReplicaSet "web" has:
        | field                            | value    |
        | spec.replicas                    | 2        |
        | spec.template.spec.schedulerName | nobody   |
        | metadata.labels                  | (absent) |
        | metadata.generation              | 2        |

    @id:subresources.10 @core
    Scenario: A negative number of replicas is refused
      Given a ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 0     |
      When the scale of the ReplicaSet "web" is changed by the merge patch:
        """
        spec: {replicas: -1}
        """
      Then the request is refused as Invalid for:
        | field         | cause   |
        | spec.replicas | invalid |
      And the ReplicaSet "web" has:
        | field         | value |
        | spec.replicas | 0     |

    @id:subresources.11 @core
    Scenario: A scale from a version that is no longer the latest is refused
      Given a ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 0     |
      And the version of the ReplicaSet "web" is called "old"
      And somebody has changed the ReplicaSet "web":
        | field                    | value |
        | metadata.annotations.who | me    |
      When the scale of the ReplicaSet "web" is updated from version "old":
        | field         | value |
        | spec.replicas | 2     |
      Then the request is refused as Conflict
      And the ReplicaSet "web" has:
        | field         | value |
        | spec.replicas | 0     |

  # Their scheduler does not exist, so that nobody else binds the Pods; nor do the nodes.
  @req:API-23
  Rule: A binding gives a Pod its node, once

    @id:subresources.12 @core
    Scenario: A bound Pod has its node and is scheduled
      Given a Pod "web" with:
        | field              | value  |
        | spec.schedulerName | nobody |
      When the Pod "web" is bound to the node "nowhere"
      Then the request is accepted
      And the Pod "web" has:
        | field                                       | value   |
        | spec.nodeName                               | nowhere |
        | status.conditions[type=PodScheduled].status | "True"  |

    @id:subresources.13 @core
    Scenario: A Pod that has a node cannot be bound again
      Given a Pod "web" with:
        | field         | value   |
        | spec.nodeName | nowhere |
      When the Pod "web" is bound to the node "elsewhere"
      Then the request is refused as Conflict
      And the Pod "web" has:
        | field         | value   |
        | spec.nodeName | nowhere |

    @id:subresources.14 @core
    Scenario: A Pod with a scheduling gate cannot be bound
      Given a Pod "web" with:
        | field                | value                      |
        | spec.schedulingGates | [{name: example.com/gate}] |
      When the Pod "web" is bound to the node "nowhere"
      Then the request is refused as Conflict
      And the Pod "web" has:
        | field         | value    |
        | spec.nodeName | (absent) |

    @id:subresources.15 @core
    Scenario: A Pod that is going cannot be bound
      Given a Pod "web" with:
        | field               | value              |
        | spec.schedulerName  | nobody             |
        | metadata.finalizers | [example.com/hold] |
      And somebody has deleted the Pod "web"
      When the Pod "web" is bound to the node "nowhere"
      Then the request is refused as Conflict
      And the Pod "web" has:
        | field         | value    |
        | spec.nodeName | (absent) |

    @id:subresources.16 @core
    Scenario: A binding must name its node
      Given a Pod "web" with:
        | field              | value  |
        | spec.schedulerName | nobody |
      When the Pod "web" is bound to the node ""
      Then the refusal mentions "target.name"
      And the Pod "web" has:
        | field         | value    |
        | spec.nodeName | (absent) |

    @id:subresources.17 @core
    Scenario: A Pod that is not there cannot be bound
      When the Pod "web" is bound to the node "nowhere"
      Then the request is refused as NotFound

    @id:subresources.18 @core
    Scenario: A Pod gets no node by an update
      Given a Pod "web" with:
        | field              | value  |
        | spec.schedulerName | nobody |
      When the Pod "web" is updated:
        | field         | value   |
        | spec.nodeName | nowhere |
      Then the request is refused as Invalid for:
        | field | cause     |
        | spec  | forbidden |

  # An unknown node, so that no kubelet writes the status of the Pods. What a controller writes into the status of a
  # budget is what the scenarios have written there.
  @req:API-23
  Rule: An eviction deletes a Pod, as far as its disruption budget allows

    @id:subresources.19 @core
    Scenario: A Pod without a budget is deleted
      Given a Pod "web" with:
        | field              | value  |
        | spec.schedulerName | nobody |
      When the Pod "web" is evicted
      Then the request is accepted
      And there is no Pod "web"

    @id:subresources.20 @core
    Scenario: A Pod that its budget cannot spare stays
      Given a Pod "web" with:
        | field               | value   |
        | metadata.labels.app | web     |
        | spec.nodeName       | nowhere |
      And somebody has changed the status of the Pod "web":
        | field        | value   |
        | status.phase | Running |
      And a PodDisruptionBudget "web" with:
        | field             | value                     |
        | spec.minAvailable | 1                         |
        | spec.selector     | {matchLabels: {app: web}} |
      When the Pod "web" is evicted
      Then the request is refused as TooManyRequests
      And the Pod "web" has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |

    @id:subresources.21 @core
    Scenario: A budget that can spare a Pod is spent by its eviction
      Given a Pod "web" with:
        | field               | value   |
        | metadata.labels.app | web     |
        | spec.nodeName       | nowhere |
      And somebody has changed the status of the Pod "web":
        | field             | value                           |
        | status.phase      | Running                         |
        | status.conditions | [{type: Ready, status: "True"}] |
      And a PodDisruptionBudget "web" with:
        | field             | value                     |
        | spec.minAvailable | 0                         |
        | spec.selector     | {matchLabels: {app: web}} |
      And somebody has changed the status of the PodDisruptionBudget "web":
        | field                     | value |
        | status.observedGeneration | 1     |
        | status.disruptionsAllowed | 1     |
        | status.currentHealthy     | 1     |
        | status.desiredHealthy     | 0     |
        | status.expectedPods       | 1     |
      When the Pod "web" is evicted
      Then the request is accepted
      And there is no Pod "web"
      And the PodDisruptionBudget "web" has:
        | field                     | value |
        | status.disruptionsAllowed | 0     |

    @id:subresources.22 @core
    Scenario: A Pod that does not run is spared by no budget
      Given a Pod "web" with:
        | field               | value  |
        | metadata.labels.app | web    |
        | spec.schedulerName  | nobody |
      And a PodDisruptionBudget "web" with:
        | field             | value                     |
        | spec.minAvailable | 1                         |
        | spec.selector     | {matchLabels: {app: web}} |
      When the Pod "web" is evicted
      Then the request is accepted
      And there is no Pod "web"

    @id:subresources.23 @core
    Scenario: A budget can let unready Pods go, whatever it has left
      Given a Pod "web" with:
        | field               | value   |
        | metadata.labels.app | web     |
        | spec.nodeName       | nowhere |
      And somebody has changed the status of the Pod "web":
        | field        | value   |
        | status.phase | Running |
      And a PodDisruptionBudget "web" with:
        | field                           | value                     |
        | spec.minAvailable               | 1                         |
        | spec.unhealthyPodEvictionPolicy | AlwaysAllow               |
        | spec.selector                   | {matchLabels: {app: web}} |
      When the Pod "web" is evicted
      Then the request is accepted
      And there is no Pod "web"

    @id:subresources.24 @core
    Scenario: A Pod that is not there cannot be evicted
      When the Pod "web" is evicted
      Then the request is refused as NotFound

  @req:API-23
  Rule: A ServiceAccount gives out tokens for an audience and a time

    @id:subresources.25 @core
    Scenario: A token is given out for the audience and the time asked for
      Given a ServiceAccount "robot"
      When a token of the ServiceAccount "robot" is requested with:
        | field                  | value   |
        | spec.audiences         | [vault] |
        | spec.expirationSeconds | 1200    |
      Then the answer has:
        | field                      | value                      |
        | kind                       | TokenRequest               |
        | spec.audiences             | [vault]                    |
        | spec.expirationSeconds     | 1200                       |
        | status.token               | /[\w-]+\.[\w-]+\.[\w-]+/   |
        | status.expirationTimestamp | /\d{4}-\d\d-\d\dT.*Z/      |

    @id:subresources.26 @core
    Scenario Outline: A time of <seconds> seconds is refused: it is <why>
      Given a ServiceAccount "robot"
      When a token of the ServiceAccount "robot" is requested with:
        | field                  | value     |
        | spec.audiences         | [vault]   |
        | spec.expirationSeconds | <seconds> |
      Then the request is refused as Invalid for:
        | field                  | cause   |
        | spec.expirationSeconds | invalid |

      Examples:
        | seconds    | why                          |
        | 599        | shorter than ten minutes     |
        | 4294967297 | longer than the longest time |

    @id:subresources.27 @core
    Scenario: A token cannot be bound to a Pod that is not there
      Given a ServiceAccount "robot"
      When a token of the ServiceAccount "robot" is requested with:
        | field               | value                                   |
        | spec.audiences      | [vault]                                 |
        | spec.boundObjectRef | {apiVersion: v1, kind: Pod, name: gone} |
      Then the request is refused as NotFound

    @id:subresources.28 @core
    Scenario: A token cannot be bound to a former object of the name
      Given a ServiceAccount "robot"
      And a Secret "key"
      When a token of the ServiceAccount "robot" is requested with:
        | field               | value                                                      |
        | spec.audiences      | [vault]                                                    |
        | spec.boundObjectRef | {apiVersion: v1, kind: Secret, name: key, uid: another}    |
      Then the request is refused as Conflict

    @id:subresources.29 @core
    Scenario: An account that is not there has no tokens
      When a token of the ServiceAccount "robot" is requested with:
        | field          | value   |
        | spec.audiences | [vault] |
      Then the request is refused as NotFound

  @req:API-23
  Rule: A Namespace's own finalizers are written by themselves

    @id:subresources.30 @core
    Scenario: A finalizer is taken away
      Given a Namespace "other" with:
        | field           | value                          |
        | spec.finalizers | [kubernetes, example.com/hold] |
      When the finalizers of the Namespace "other" are updated:
        | field           | value        |
        | spec.finalizers | [kubernetes] |
      Then the request is accepted
      And the Namespace "other" has:
        | field           | value        |
        | spec.finalizers | [kubernetes] |

    @id:subresources.31 @core
    Scenario: An update of the Namespace leaves them as they are
      Given a Namespace "other"
      When the Namespace "other" is updated:
        | field               | value                          |
        | metadata.labels.app | web                            |
        | spec.finalizers     | [kubernetes, example.com/hold] |
      Then the request is accepted
      And the Namespace "other" has:
        | field               | value        |
        | metadata.labels.app | web          |
        | spec.finalizers     | [kubernetes] |

  # Their scheduler does not exist, so that no kubelet starts what is added, or weighs what is asked for.
  @req:API-23
  Rule: Ephemeral containers are added to a Pod, and stay as they are

    @id:subresources.32 @core
    Scenario: An ephemeral container is added, and nothing else
      Given a Pod "web" with:
        | field                      | value  |
        | spec.schedulerName         | nobody |
        | spec.activeDeadlineSeconds | 60     |
        | metadata.labels.app        | web    |
      When the ephemeral containers of the Pod "web" are updated:
        | field                      | value                                              |
        | spec.ephemeralContainers   | [{name: look, image: "registry.k8s.io/pause:3.10"}] |
        | spec.activeDeadlineSeconds | 30                                                 |
        | metadata.labels.app        | other                                              |
      Then the request is accepted
      And the Pod "web" has:
        | field                                       | value                      |
        | spec.ephemeralContainers[name=look].image   | registry.k8s.io/pause:3.10 |
        | spec.activeDeadlineSeconds                  | 60                         |
        | metadata.labels.app                         | web                        |

    @id:subresources.33 @core
    Scenario Outline: An ephemeral container is not <changed>
      Given a Pod "web" with:
        | field              | value  |
        | spec.schedulerName | nobody |
      And somebody has changed the ephemeral containers of the Pod "web":
        | field                    | value                                               |
        | spec.ephemeralContainers | [{name: look, image: "registry.k8s.io/pause:3.10"}] |
      When the ephemeral containers of the Pod "web" are updated:
        | field                    | value   |
        | spec.ephemeralContainers | <value> |
      Then the request is refused as Invalid for:
        | field                    | cause     |
        | spec.ephemeralContainers | forbidden |
      And the Pod "web" has:
        | field                                     | value                      |
        | spec.ephemeralContainers[name=look].image | registry.k8s.io/pause:3.10 |

      Examples:
        | changed    | value                                                    |
        | changed    | [{name: look, image: "registry.k8s.io/pause:3.9"}]       |
        | taken away | []                                                       |

    @id:subresources.34 @core
    Scenario: A Pod is not created with ephemeral containers
      When a Pod "web" is created with:
        | field                    | value                                               |
        | spec.schedulerName       | nobody                                              |
        | spec.ephemeralContainers | [{name: look, image: "registry.k8s.io/pause:3.10"}] |
      Then the request is refused as Invalid for:
        | field                    | cause     |
        | spec.ephemeralContainers | forbidden |
      And there is no Pod "web"

    @id:subresources.35 @core
    Scenario: An update of the Pod adds no ephemeral container
      Given a Pod "web" with:
        | field              | value  |
        | spec.schedulerName | nobody |
      When the Pod "web" is updated:
        | field                    | value                                               |
        | spec.ephemeralContainers | [{name: look, image: "registry.k8s.io/pause:3.10"}] |
      Then the request is refused as Invalid for:
        | field | cause     |
        | spec  | forbidden |
      And the Pod "web" has:
        | field                    | value    |
        | spec.ephemeralContainers | (absent) |

  @req:API-23
  Rule: The processors and memory of a Pod's containers are changed by themselves, within its quality of service

    @id:subresources.36 @core
    Scenario: A container is resized, and nothing else
      Given a Pod "web" with:
        | field                                 | value                       |
        | spec.schedulerName                    | nobody                      |
        | spec.activeDeadlineSeconds            | 60                          |
        | spec.containers[0].resources.requests | {cpu: 100m, memory: 64Mi}   |
      When the resources of the Pod "web" are updated:
        | field                                 | value                       |
        | spec.containers[0].resources.requests | {cpu: 200m, memory: 128Mi}  |
        | spec.activeDeadlineSeconds            | 30                          |
      Then the request is accepted
      And the Pod "web" has:
        | field                                 | value                      |
        | spec.containers[0].resources.requests | {cpu: 200m, memory: 128Mi} |
        | spec.activeDeadlineSeconds            | 60                         |
        | metadata.generation                   | 2                          |

    @id:subresources.37 @core
    Scenario: Another resource than processors and memory keeps its size
      Given a Pod "web" with:
        | field                                 | value                                |
        | spec.schedulerName                    | nobody                               |
        | spec.containers[0].resources.requests | {cpu: 100m, ephemeral-storage: 1Gi}  |
      When the resources of the Pod "web" are updated:
        | field                                 | value                                |
        | spec.containers[0].resources.requests | {cpu: 100m, ephemeral-storage: 2Gi}  |
      Then the request is refused as Invalid for:
        | field | cause     |
        | spec  | forbidden |
      And the Pod "web" has:
        | field                                                   | value |
        | spec.containers[0].resources.requests.ephemeral-storage | 1Gi   |

    @id:subresources.38 @core
    Scenario: A Pod that asked for nothing cannot begin to
      Given a Pod "web" with:
        | field              | value  |
        | spec.schedulerName | nobody |
      When the resources of the Pod "web" are updated:
        | field                                 | value       |
        | spec.containers[0].resources.requests | {cpu: 100m} |
      Then the request is refused as Invalid for:
        | field | cause   |
        | spec  | invalid |
      And the Pod "web" has:
        | field           | value      |
        | status.qosClass | BestEffort |

    @id:subresources.39 @core
    Scenario: To resize is no way to take a container away
      Given a Pod "web" with:
        """
        spec:
          schedulerName: nobody
          containers:
          - {name: main, image: "registry.k8s.io/pause:3.10", resources: {requests: {cpu: 100m}}}
          - {name: side, image: "registry.k8s.io/pause:3.10"}
        """
      When the resources of the Pod "web" are updated:
        """
        spec:
          containers:
          - {name: main, image: "registry.k8s.io/pause:3.10", resources: {requests: {cpu: 100m}}}
        """
      Then the request is refused as Invalid for:
        | field           | cause     |
        | spec.containers | forbidden |

    @id:subresources.40 @core
    Scenario: An update of the Pod changes no size
      Given a Pod "web" with:
        | field                                 | value       |
        | spec.schedulerName                    | nobody      |
        | spec.containers[0].resources.requests | {cpu: 100m} |
      When the Pod "web" is updated:
        | field                                 | value       |
        | spec.containers[0].resources.requests | {cpu: 200m} |
      Then the request is refused as Invalid for:
        | field | cause     |
        | spec  | forbidden |
      And the Pod "web" has:
        | field                                     | value |
        | spec.containers[0].resources.requests.cpu | 100m  |
