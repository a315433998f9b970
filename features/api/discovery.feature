Feature: Discovery
  A client that knows nothing but where the API server is can find out all that is served there: groups, versions and
  kinds, what can be done with each, how each is written, and which release it all belongs to.

  @req:API-22
  Rule: The server tells what it serves

    @id:discovery.01 @core
    Scenario: Every kind of the release is served
      When all API groups and their resources are discovered at once
      Then these kinds are served:
        | group version                   | kinds |
        | v1                              | Binding, ComponentStatus, ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, PodTemplate, ReplicationController, ResourceQuota, Secret, Service, ServiceAccount |
        | admissionregistration.k8s.io/v1 | MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration                                   |
        | apiextensions.k8s.io/v1         | CustomResourceDefinition                                                                                                                                                                                             |
        | apiregistration.k8s.io/v1       | APIService                                                                                                                                                                                                           |
        | apps/v1                         | ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet                                                                                                                                                   |
        | authentication.k8s.io/v1        | SelfSubjectReview, TokenReview                                                                                                                                                                                       |
        | authorization.k8s.io/v1         | LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview                                                                                                                       |
        | autoscaling/v2                  | HorizontalPodAutoscaler                                                                                                                                                                                              |
        | autoscaling/v1                  | HorizontalPodAutoscaler                                                                                                                                                                                              |
        | batch/v1                        | CronJob, Job                                                                                                                                                                                                         |
        | certificates.k8s.io/v1          | CertificateSigningRequest                                                                                                                                                                                            |
        | coordination.k8s.io/v1          | Lease                                                                                                                                                                                                                |
        | discovery.k8s.io/v1             | EndpointSlice                                                                                                                                                                                                        |
        | events.k8s.io/v1                | Event                                                                                                                                                                                                                |
        | flowcontrol.apiserver.k8s.io/v1 | FlowSchema, PriorityLevelConfiguration                                                                                                                                                                               |
        | networking.k8s.io/v1            | IPAddress, Ingress, IngressClass, NetworkPolicy, ServiceCIDR                                                                                                                                                         |
        | node.k8s.io/v1                  | RuntimeClass                                                                                                                                                                                                         |
        | policy/v1                       | PodDisruptionBudget                                                                                                                                                                                                  |
        | rbac.authorization.k8s.io/v1    | ClusterRole, ClusterRoleBinding, Role, RoleBinding                                                                                                                                                                   |
        | resource.k8s.io/v1              | DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice                                                                                                                                                     |
        | scheduling.k8s.io/v1            | PriorityClass                                                                                                                                                                                                        |
        | storage.k8s.io/v1               | CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment, VolumeAttributesClass                                                                                                                        |

    @id:discovery.02 @core
    Scenario: What is told is served
      When every kind that is discovered is listed
      Then each list is of the kind that discovery tells

    @id:discovery.03 @core
    Scenario: A group tells its versions and which of them is preferred
      When the API groups are discovered
      Then the answer has:
        | field                                             | value          |
        | kind                                              | APIGroupList   |
        | groups[name=apps].preferredVersion.groupVersion   | apps/v1        |
        | groups[name=autoscaling].preferredVersion.version | v2             |
        | groups[name=autoscaling].versions[version=v1].groupVersion | autoscaling/v1 |

    @id:discovery.04 @core
    Scenario: A resource tells its kind, where it lives, what can be done with it and what it is called for short
      When the resources of "v1" are discovered
      Then these resources are served:
        | name                   | kind        | namespaced | verbs                                                           | shortNames |
        | pods                   | Pod         | true       | create, delete, deletecollection, get, list, patch, update, watch | po       |
        | pods/status            | Pod         | true       | get, patch, update                                              |            |
        | pods/binding           | Binding     | true       | create                                                          |            |
        | pods/eviction          | Eviction    | true       | create                                                          |            |
        | services               | Service     | true       | create, delete, get, list, patch, update, watch                 | svc        |
        | namespaces             | Namespace   | false      | create, delete, get, list, patch, update, watch                 | ns         |
        | namespaces/finalize    | Namespace   | false      | update                                                          |            |
        | persistentvolumeclaims | PersistentVolumeClaim | true | create, delete, get, list, patch, update, watch             | pvc        |

    @id:discovery.05 @core
    Scenario: A part of an object that has a kind of its own tells that kind
      When the resources of "apps/v1" are discovered
      Then these resources are served:
        | name              | kind       | namespaced | verbs              | group       | shortNames | categories |
        | deployments       | Deployment | true       | create, get, patch |             | deploy     | all        |
        | deployments/scale | Scale      | true       | get, patch, update | autoscaling |            |            |

    @id:discovery.06 @core
    Scenario: A version that is not served cannot be discovered
      When the resources of "apps/v9" are discovered
      Then the request is refused as NotFound

    @id:discovery.07 @core
    Scenario: A schema tells how a kind is written
      When the schemas of "apps/v1" are read
      Then the answer has:
        | field                                                                                | value      |
        | components.schemas["io.k8s.api.apps.v1.Deployment"].description                      | (present)  |
        | components.schemas["io.k8s.api.apps.v1.Deployment"].x-kubernetes-group-version-kind  | [{group: apps, kind: Deployment, version: v1}] |
        | components.schemas["io.k8s.api.apps.v1.DeploymentSpec"].properties.replicas.type     | integer    |
        | components.schemas["io.k8s.api.apps.v1.DeploymentSpec"].properties.replicas.format   | int32      |
        | components.schemas["io.k8s.api.core.v1.PodSpec"].properties.containers.items         | (present)  |

    @id:discovery.08 @core
    Scenario: The release is told
      When the release is asked for
      Then the answer has:
        | field      | value           |
        | major      | "1"             |
        | minor      | /\d+\+?/        |
        | gitVersion | /v1\.\d+\.\d+.*/ |

    @id:discovery.09 @core
    Scenario Outline: The server says that it is <state>
      When the API server is asked whether it is <state>
      Then the answer has:
        | field | value |
        | text  | ok    |

      Examples:
        | state |
        | alive |
        | ready |

  @req:API-22
  Rule: A kind that is served in two versions or groups is one kind

    @id:discovery.10 @core
    Scenario: An event is seen through both of its groups
      Given an Event "started" with:
        | field           | value       |
        | message         | it has begun |
        | source.component | tester     |
      When the Event "started" is read as of "events.k8s.io/v1"
      Then the answer has:
        | field                       | value            |
        | apiVersion                  | events.k8s.io/v1 |
        | kind                        | Event            |
        | metadata.name               | started          |
        | note                        | it has begun     |
        | regarding.name              | web              |
        | deprecatedSource.component  | tester           |
        | message                     | (absent)         |

    @id:discovery.11 @core
    Scenario: What is written as one group's event is read as the other's
      When "reporter" applies:
        """
        apiVersion: events.k8s.io/v1
        kind: Event
        metadata: {name: started}
        eventTime: "2026-01-01T00:00:00.000000Z"
        regarding: {kind: Pod, name: web, namespace: home}
        note: it has begun
        action: Begin
        reason: Begun
        type: Normal
        reportingController: example.com/reporter
        reportingInstance: reporter-0
        """
      Then the request is accepted
      And the Event "started" has:
        | field               | value                |
        | apiVersion          | v1                   |
        | message             | it has begun         |
        | involvedObject.name | web                  |
        | reportingComponent  | example.com/reporter |

    @id:discovery.13 @core
    Scenario: The newer group's event has to say when it was, and is of one of two types
      When "reporter" applies:
        """
        apiVersion: events.k8s.io/v1
        kind: Event
        metadata: {name: started}
        regarding: {kind: Pod, name: web, namespace: home}
        action: Begin
        reason: Begun
        type: Alarming
        reportingController: example.com/reporter
        reportingInstance: reporter-0
        """
      Then the request is refused as Invalid for:
        | field     | cause    |
        | eventTime | required |
        | type      | invalid  |
      And there is no Event "started"

    @id:discovery.12 @core
    Scenario: An autoscaler is seen through both of its versions
      Given a HorizontalPodAutoscaler "web" with:
        """
        spec:
          maxReplicas: 5
          scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
          metrics:
            - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}
        """
      When the HorizontalPodAutoscaler "web" is read as of "autoscaling/v1"
      Then the answer has:
        | field                               | value          |
        | apiVersion                          | autoscaling/v1 |
        | spec.maxReplicas                    | 5              |
        | spec.minReplicas                    | 1              |
        | spec.scaleTargetRef.name            | web            |
        | spec.targetCPUUtilizationPercentage | 60             |
        | spec.metrics                        | (absent)       |
