Feature: Validation
  An object whose fields all have their types can still make no sense. Then it is refused with every field that breaks
  a rule and the kind of rule that it breaks, and nothing is stored. This is what holds for all kinds, and for those
  that hold configuration, storage and rules of the cluster.

  @req:API-5
  Rule: What identifies and describes an object has the same form for all kinds

    @id:validation.01 @core
    Scenario Outline: An object is refused unless <rule>
      When a ConfigMap "settings" is created with:
        | field   | value   |
        | <field> | <value> |
      Then the request is refused as Invalid for:
        | field   | cause   |
        | <named> | invalid |
      And there is no ConfigMap "settings"

      Examples:
        | rule                                        | field                | value              | named                   |
        | a label's key is a qualified name           | metadata.labels      | {"the app": web}   | metadata.labels         |
        | a label's value is a word                   | metadata.labels      | {app: "the web"}   | metadata.labels         |
        | an annotation's key is a qualified name     | metadata.annotations | {"the note": x}    | metadata.annotations    |
        | a finalizer is qualified by its owner       | metadata.finalizers  | [hold]             | metadata.finalizers[0]  |
        | it has at most one controller                | metadata.ownerReferences | [{apiVersion: v1, kind: Pod, name: a, uid: u1, controller: true}, {apiVersion: v1, kind: Pod, name: b, uid: u2, controller: true}] | metadata.ownerReferences |
        | its owners are known by their uids                | metadata.ownerReferences | [{apiVersion: v1, kind: Pod, name: a, uid: ""}] | metadata.ownerReferences.uid |

    @id:validation.02 @core
    Scenario Outline: <name> is no name for a <kind>, <why>
      When a <kind> "<name>" is created
      Then the request is refused as Invalid for:
        | field         | cause   |
        | metadata.name | <cause> |
      And there is no <kind> "<name>"

      Examples:
        | kind          | name         | cause     | why                                           |
        | Namespace     | team.web     | invalid   | which is one label of DNS                     |
        | Service       | Web          | invalid   | which is found by DNS                         |
        | PriorityClass | system-mine  | forbidden | for that prefix is the cluster's              |

    @id:validation.03 @core
    Scenario: An object without a name or a prefix of one is refused
      When this ConfigMap is created:
        """
        {data: {color: blue}}
        """
      Then the request is refused as Invalid for:
        | field         | cause    |
        | metadata.name | required |

  @req:API-5
  Rule: Configuration is kept under keys, in what size and for as long as its kind allows

    @id:validation.04 @core
    Scenario Outline: A <kind> is refused unless <rule>
      When a <kind> "settings" is created with:
        """
        <given>
        """
      Then the request is refused as Invalid for:
        | field   | cause   |
        | <named> | <cause> |
      And there is no <kind> "settings"

      Examples:
        | rule                                           | kind      | given                                            | named                   | cause    |
        | a key could be the name of a file              | ConfigMap | {data: {"a/b": x}}                               | data[a/b]               | invalid  |
        | a key has one value                            | ConfigMap | {data: {a: x}, binaryData: {a: eA==}}            | data[a]                 | invalid  |
        | a key could be the name of a file                | Secret    | {stringData: {"a b": x}}                         | data[a b]               | invalid  |
        | a certificate comes with its key               | Secret    | {type: kubernetes.io/tls, stringData: {tls.crt: x}} | data[tls.key]        | required |
        | a key for SSH is there                         | Secret    | {type: kubernetes.io/ssh-auth}                   | data[ssh-privatekey]    | required |
        | credentials of a registry are there            | Secret    | {type: kubernetes.io/dockerconfigjson}           | data[.dockerconfigjson] | required |
        | credentials of a registry are JSON             | Secret    | {type: kubernetes.io/dockerconfigjson, stringData: {.dockerconfigjson: "{"}} | data[.dockerconfigjson] | invalid |
        | its token says whose it is                       | Secret    | {type: kubernetes.io/service-account-token}      | metadata.annotations[kubernetes.io/service-account.name] | required |

    @id:validation.05 @core
    Scenario: A ConfigMap holds at most 1 MiB
      When a ConfigMap "large" with 1048577 bytes of data is created
      Then the request is refused as Invalid for:
        | field | cause    |
        | []    | too long |
      And there is no ConfigMap "large"

    @id:validation.06 @core
    Scenario Outline: An immutable <kind> does not become <field> <value>
      Given a <kind> "fixed" with:
        | field      | value |
        | data.color | Ymx1  |
        | immutable  | true  |
      And the version of the <kind> "fixed" is called "before"
      When the <kind> "fixed" is updated:
        | field   | value   |
        | <field> | <value> |
      Then the request is refused as Invalid for:
        | field   | cause     |
        | <named> | forbidden |
      And the <kind> "fixed" is still at version "before"

      Examples:
        | kind      | field      | value | named     |
        | ConfigMap | data.color | cmVk  | data      |
        | ConfigMap | immutable  | false | immutable |
        | Secret    | data.color | cmVk  | data      |
        | Secret    | immutable  | false | immutable |

    @id:validation.07 @core
    Scenario: What is immutable can still be labelled
      Given a Secret "fixed" with:
        | field     | value |
        | immutable | true  |
      When the Secret "fixed" is updated:
        | field               | value |
        | metadata.labels.app | web   |
      Then the request is accepted
      And the Secret "fixed" has:
        | field               | value |
        | metadata.labels.app | web   |

    @id:validation.08 @core
    Scenario: A Secret keeps its type
      Given a Secret "password" with:
        | field               | value                    |
        | type                | kubernetes.io/basic-auth |
        | stringData.username | me                       |
      When the Secret "password" is updated:
        | field | value  |
        | type  | Opaque |
      Then the request is refused as Invalid for:
        | field | cause   |
        | type  | invalid |
      And the Secret "password" has:
        | field | value                    |
        | type  | kubernetes.io/basic-auth |

  @req:API-5
  Rule: Volumes, claims and classes say what storage there is and what is wanted

    @id:validation.09 @core
    Scenario Outline: A <kind> is not made unless <rule>
      When a <kind> "disk" is created with:
        | field   | value   |
        | <field> | <value> |
      Then the request is refused as Invalid for:
        | field   | cause   |
        | <named> | <cause> |
      And there is no <kind> "disk"

      Examples:
        | rule                                  | kind                  | field                              | value         | named                              | cause         |
        | it can be reached in some way   | PersistentVolume      | spec.accessModes                   | []            | spec.accessModes                   | required      |
        | it has room                     | PersistentVolume      | spec.capacity.storage              | "0"           | spec.capacity[storage]             | invalid       |
        | it is somewhere                 | PersistentVolume      | spec.hostPath                      | (absent)      | spec                               | required      |
        | its path does not go back               | PersistentVolume      | spec.hostPath.path                 | /data/../etc  | spec.hostPath.path                 | invalid       |
        | it is kept, recycled or deleted | PersistentVolume      | spec.persistentVolumeReclaimPolicy | Forget        | spec.persistentVolumeReclaimPolicy | not supported |
        | it says how it is reached      | PersistentVolumeClaim | spec.accessModes                   | []            | spec.accessModes                   | required      |
        | its way of access is one of four         | PersistentVolumeClaim | spec.accessModes                   | [WriteOnly]   | spec.accessModes                   | not supported |
        | it says how much it wants        | PersistentVolumeClaim | spec.resources                     | {}            | spec.resources[storage]            | required      |
        | it wants something                    | PersistentVolumeClaim | spec.resources.requests.storage    | "0"           | spec.resources[storage]            | invalid       |
        | it has a provisioner             | StorageClass          | provisioner                        | ""            | provisioner                        | required      |
        | it binds at once or later        | StorageClass          | volumeBindingMode                  | Never         | volumeBindingMode                  | not supported |

    @id:validation.10 @core
    Scenario Outline: A <kind> is not changed, as <rule>
      Given a <kind> "disk" with:
        | field      | value |
        | <at first> | <old> |
      When the <kind> "disk" is updated:
        | field   | value   |
        | <field> | <value> |
      Then the request is refused as Invalid for:
        | field   | cause   |
        | <named> | <cause> |
      And the <kind> "disk" has:
        | field      | value |
        | <at first> | <old> |

      Examples:
        | rule                                   | kind                  | at first              | old             | field                           | value          | named                       | cause     |
        | it stays where it is             | PersistentVolume      | spec.hostPath.path    | /data           | spec.hostPath.path              | /other         | spec.persistentvolumesource | forbidden |
        | it keeps its ways of access       | PersistentVolumeClaim | spec.storageClassName | nowhere         | spec.accessModes                | [ReadOnlyMany] | spec                        | forbidden |
        | it keeps its class                | PersistentVolumeClaim | spec.storageClassName | nowhere         | spec.storageClassName           | somewhere      | spec                        | forbidden |
        | it grows once it is bound | PersistentVolumeClaim | spec.storageClassName | nowhere       | spec.resources.requests.storage | 2Gi            | spec                        | forbidden |
        | it keeps its provisioner          | StorageClass          | provisioner           | example.com/one | provisioner                     | example.com/two | provisioner                | invalid   |
        | it keeps its parameters           | StorageClass          | parameters.type       | fast            | parameters.type                 | slow           | parameters                  | invalid   |

  @req:API-5
  Rule: What rules a cluster must not contradict itself

    @id:validation.11 @core
    Scenario Outline: A <kind> is void unless <rule>
      When a <kind> "rule" is created with:
        """
        <given>
        """
      Then the request is refused as Invalid for:
        | field   | cause   |
        | <named> | <cause> |
      And there is no <kind> "rule"

      Examples:
        | rule                                          | kind                | given                                                                   | named                       | cause         |
        | the least allowed is not above the most       | LimitRange          | {spec: {limits: [{type: Pod, min: {cpu: "2"}, max: {cpu: "1"}}]}}       | spec.limits[0].min[cpu]     | invalid       |
        | pods as a whole have no defaults              | LimitRange          | {spec: {limits: [{type: Pod, default: {cpu: "1"}}]}}                    | spec.limits[0].default      | forbidden     |
        | a default is not above the most allowed       | LimitRange          | {spec: {limits: [{type: Container, default: {cpu: "2"}, defaultRequest: {cpu: "1"}, max: {cpu: "1"}}]}} | spec.limits[0].default[cpu] | invalid   |
        | a quota is of what can be counted             | ResourceQuota       | {spec: {hard: {bananas: "1"}}}                                          | spec.hard[bananas]          | invalid       |
        | a quota is not below nothing                  | ResourceQuota       | {spec: {hard: {pods: "-1"}}}                                            | spec.hard[pods]             | invalid       |
        | a lease lasts for a while                     | Lease               | {spec: {leaseDurationSeconds: 0}}                                       | spec.leaseDurationSeconds   | invalid       |
        | a user's priority is below the system's       | PriorityClass       | {value: 1000000001}                                                     | value                       | forbidden     |
        | a budget is of the available or the unavailable | PodDisruptionBudget | {spec: {minAvailable: 1, maxUnavailable: 1}}                          | spec                        | invalid       |
        | a policy is for protocols that it knows       | NetworkPolicy       | {spec: {podSelector: {}, ingress: [{ports: [{protocol: ICMP}]}]}}       | spec.ingress[0].ports[0].protocol | not supported |
        | an ingress leads somewhere                    | Ingress             | {spec: {}}                                                              | spec                        | invalid       |
        | an autoscaler's bounds are in order           | HorizontalPodAutoscaler | {spec: {minReplicas: 3, maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}} | spec.maxReplicas | invalid |
        | an event is told where it happened            | Event               | {involvedObject: {kind: Pod, name: web, namespace: elsewhere}}          | involvedObject.namespace    | invalid       |

    @id:validation.12 @core
    Scenario: A class of priority keeps its value
      Given a PriorityClass "high"
      When the PriorityClass "high" is updated:
        | field | value |
        | value | 2000  |
      Then the request is refused as Invalid for:
        | field | cause     |
        | value | forbidden |
      And the PriorityClass "high" has:
        | field | value |
        | value | 1000  |
