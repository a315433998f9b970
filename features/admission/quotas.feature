Feature: Quotas
  A ResourceQuota caps how many objects of a kind its namespace may hold, and how much storage they ask for. What is
  created is charged to status.used at once, what would go beyond status.hard is refused, and what is deleted is given
  back.

  @req:QUO-3 @req:QUO-4 @req:QUO-5 @req:QUO-7 @req:QUO-8
  Rule: A quota caps how many objects of a kind there may be

    @id:quotas.01 @core
    Scenario Outline: The last <kind> that the quota has room for is admitted, and charged
      Given a ResourceQuota "few" with:
        | field                | value |
        | spec.hard.<resource> | "2"   |
      And a <kind> "first"
      When a <kind> "second" is created
      Then the request is accepted
      And within 10 seconds the ResourceQuota "few" has:
        | field                  | value |
        | status.hard.<resource> | "2"   |
        | status.used.<resource> | "2"   |

      Examples:
        | kind                  | resource               |
        | Pod                   | pods                   |
        | ReplicationController | replicationcontrollers |
        | Service               | services               |
        | Secret                | secrets                |
        | PersistentVolumeClaim | persistentvolumeclaims |

    @id:quotas.02 @core
    Scenario Outline: A <kind> beyond the quota is refused
      Given a ResourceQuota "few" with:
        | field                | value |
        | spec.hard.<resource> | "1"   |
      And a <kind> "first"
      When a <kind> "second" is created
      Then the request is refused as Forbidden
      And there is a <kind> "first"
      And there is no <kind> "second"

      Examples:
        | kind                  | resource               |
        | Pod                   | pods                   |
        | ReplicationController | replicationcontrollers |
        | Service               | services               |
        | Secret                | secrets                |
        | PersistentVolumeClaim | persistentvolumeclaims |

    @id:quotas.03 @core
    Scenario Outline: A quota of no <resource> lets none be created
      Given a ResourceQuota "none" with:
        | field                | value |
        | spec.hard.<resource> | "0"   |
      When a <kind> "first" is created
      Then the request is refused as Forbidden
      And there is no <kind> "first"

      Examples:
        | kind      | resource   |
        | ConfigMap | configmaps |
        | Secret    | secrets    |

    @id:quotas.04 @core
    Scenario: What the quota does not name is not counted
      Given a ResourceQuota "few" with:
        | field             | value |
        | spec.hard.secrets | "0"   |
      When a Service "web" is created
      Then the request is accepted

  @req:QUO-6
  Rule: A quota caps the number of ResourceQuotas, itself among them

    @id:quotas.05 @core
    Scenario: A quota counts itself
      When a ResourceQuota "first" is created with:
        | field                    | value |
        | spec.hard.resourcequotas | "2"   |
      Then the request is accepted
      And within 10 seconds the ResourceQuota "first" has:
        | field                      | value |
        | status.used.resourcequotas | "1"   |

    @id:quotas.06 @core
    Scenario: A ResourceQuota beyond the quota is refused
      Given a ResourceQuota "first" with:
        | field                    | value |
        | spec.hard.resourcequotas | "1"   |
      When a ResourceQuota "second" is created with:
        | field             | value |
        | spec.hard.secrets | "5"   |
      Then the request is refused as Forbidden
      And there is no ResourceQuota "second"

  @req:QUO-21
  Rule: A quota counts the objects of any kind under count/<resource>.<group>

    @id:quotas.07 @core
    Scenario Outline: A <kind> is counted as <resource>
      Given a ResourceQuota "few" with:
        | field                   | value |
        | spec.hard["<resource>"] | "1"   |
      When a <kind> "first" is created
      Then the request is accepted
      And within 10 seconds the ResourceQuota "few" has:
        | field                     | value |
        | status.used["<resource>"] | "1"   |

      Examples:
        | kind    | resource                              |
        | Secret  | count/secrets                         |
        | Lease   | count/leases.coordination.k8s.io      |
        | CronJob | count/cronjobs.batch                  |
        | Role    | count/roles.rbac.authorization.k8s.io |

    @id:quotas.08 @core
    Scenario Outline: A <kind> beyond <resource> is refused
      Given a ResourceQuota "few" with:
        | field                   | value |
        | spec.hard["<resource>"] | "1"   |
      And a <kind> "first"
      When a <kind> "second" is created
      Then the request is refused as Forbidden
      And there is no <kind> "second"

      Examples:
        | kind    | resource                              |
        | Secret  | count/secrets                         |
        | Lease   | count/leases.coordination.k8s.io      |
        | CronJob | count/cronjobs.batch                  |
        | Role    | count/roles.rbac.authorization.k8s.io |

  @req:QUO-5
  Rule: Services are counted by their node ports and load balancers, too

    @id:quotas.09 @core
    Scenario Outline: A Service of type <type> with two ports uses <nodeports> node ports
      Given a ResourceQuota "few" with:
        | field                           | value |
        | spec.hard["services.nodeports"] | "2"   |
      When a Service "web" is created with:
        """
        spec:
          type: <type>
          <more>
          ports:
            - {name: http, port: 80}
            - {name: https, port: 443}
        """
      Then the request is accepted
      And within 10 seconds the ResourceQuota "few" has:
        | field                             | value         |
        | status.used["services.nodeports"] | "<nodeports>" |

      Examples:
        | type         | more                                | nodeports |
        | ClusterIP    |                                     | 0         |
        | NodePort     |                                     | 2         |
        | LoadBalancer | loadBalancerClass: example.com/none | 2         |

    @id:quotas.10 @core
    Scenario: A Service with more node ports than the quota has left is refused
      Given a ResourceQuota "few" with:
        | field                           | value |
        | spec.hard["services.nodeports"] | "2"   |
      And a Service "first" with:
        | field     | value    |
        | spec.type | NodePort |
      When a Service "second" is created with:
        """
        spec:
          type: NodePort
          ports:
            - {name: http, port: 80}
            - {name: https, port: 443}
        """
      Then the request is refused as Forbidden
      And the refusal mentions "services.nodeports"
      And there is no Service "second"

    @id:quotas.11 @core
    Scenario Outline: Where no load balancers are allowed, a Service of type <type> is <outcome>
      Given a ResourceQuota "none" with:
        | field                               | value |
        | spec.hard["services.loadbalancers"] | "0"   |
      When a Service "web" is created with:
        """
        spec:
          type: <type>
          <more>
        """
      Then the request is <outcome>

      Examples:
        | type         | more                                | outcome              |
        | LoadBalancer | loadBalancerClass: example.com/none | refused as Forbidden |
        | NodePort     |                                     | accepted             |

  @req:QUO-22
  Rule: An update is charged with what it adds

    @id:quotas.12 @core
    Scenario: A Service that comes to have a node port is charged
      Given a ResourceQuota "few" with:
        | field                           | value |
        | spec.hard["services.nodeports"] | "1"   |
        | spec.hard.services              | "1"   |
      And a Service "web"
      When the Service "web" is updated:
        | field     | value    |
        | spec.type | NodePort |
      Then the request is accepted
      And within 10 seconds the ResourceQuota "few" has:
        | field                             | value |
        | status.used["services.nodeports"] | "1"   |
        | status.used.services              | "1"   |

    @id:quotas.13 @core
    Scenario: A Service stays without the node port that the quota has no room for
      Given a ResourceQuota "none" with:
        | field                           | value |
        | spec.hard["services.nodeports"] | "0"   |
      And a Service "web"
      When the Service "web" is updated:
        | field     | value    |
        | spec.type | NodePort |
      Then the request is refused as Forbidden
      And the Service "web" has:
        | field     | value     |
        | spec.type | ClusterIP |

    @id:quotas.14 @core
    Scenario: An update that adds nothing is admitted though the quota is full
      Given a ResourceQuota "few" with:
        | field                           | value |
        | spec.hard["services.nodeports"] | "1"   |
      And a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      When the Service "web" is updated:
        | field               | value |
        | metadata.labels.app | web   |
      Then the request is accepted

    @id:quotas.15 @core
    Scenario: A Service that gives up its node port is charged less
      Given a ResourceQuota "few" with:
        | field                           | value |
        | spec.hard["services.nodeports"] | "1"   |
      And a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      When the Service "web" is updated:
        | field                  | value     |
        | spec.type              | ClusterIP |
        | spec.ports[0].nodePort | (absent)  |
      Then the request is accepted
      And within 1 minute the ResourceQuota "few" has:
        | field                             | value |
        | status.used["services.nodeports"] | "0"   |

    @id:quotas.40 @extended
    Scenario Outline: A Pod is resized to <cpu>, where 200m are allowed: <outcome>
      Given a ResourceQuota "sum" with:
        | field                     | value |
        | spec.hard["requests.cpu"] | 200m  |
      And a Pod "web" with:
        | field                                     | value                         |
        | spec.schedulingGates                      | [{name: example.com/waiting}] |
        | spec.containers[0].resources.requests.cpu | 100m                          |
      When the resources of the Pod "web" are updated:
        | field                                     | value |
        | spec.containers[0].resources.requests.cpu | <cpu> |
      Then the request is <outcome>
      And within 10 seconds the ResourceQuota "sum" has:
        | field                       | value  |
        | status.used["requests.cpu"] | <used> |

      Examples:
        | cpu  | outcome              | used |
        | 200m | accepted             | 200m |
        | 201m | refused as Forbidden | 100m |

    @id:quotas.16 @extended
    Scenario Outline: A bound claim grows to <size>, where 2Gi are allowed: <outcome>
      Given a StorageClass "stretching" with:
        | field                | value |
        | allowVolumeExpansion | true  |
      And a PersistentVolume "disk" with:
        | field                 | value      |
        | spec.storageClassName | stretching |
      And a ResourceQuota "space" with:
        | field                         | value |
        | spec.hard["requests.storage"] | 2Gi   |
      And a PersistentVolumeClaim "data" with:
        | field                 | value      |
        | spec.storageClassName | stretching |
      And the PersistentVolumeClaim "data" has come to have:
        | field        | value |
        | status.phase | Bound |
      When the PersistentVolumeClaim "data" is updated:
        | field                           | value  |
        | spec.resources.requests.storage | <size> |
      Then the request is <outcome>
      And within 10 seconds the ResourceQuota "space" has:
        | field                           | value  |
        | status.used["requests.storage"] | <used> |

      Examples:
        | size   | outcome              | used |
        | 2Gi    | accepted             | 2Gi  |
        | 2049Mi | refused as Forbidden | 1Gi  |

  @req:QUO-17
  Rule: A quota caps the storage that claims ask for

    @id:quotas.17 @core
    Scenario: Claims are admitted up to the sum
      Given a ResourceQuota "space" with:
        | field                         | value |
        | spec.hard["requests.storage"] | 3Gi   |
      And a PersistentVolumeClaim "first" with:
        | field                           | value |
        | spec.resources.requests.storage | 1Gi   |
      When a PersistentVolumeClaim "second" is created with:
        | field                           | value |
        | spec.resources.requests.storage | 2Gi   |
      Then the request is accepted
      And within 10 seconds the ResourceQuota "space" has:
        | field                           | value |
        | status.used["requests.storage"] | 3Gi   |

    @id:quotas.18 @core
    Scenario: A claim beyond the sum is refused
      Given a ResourceQuota "space" with:
        | field                         | value |
        | spec.hard["requests.storage"] | 3Gi   |
      And a PersistentVolumeClaim "first" with:
        | field                           | value |
        | spec.resources.requests.storage | 1Gi   |
      When a PersistentVolumeClaim "second" is created with:
        | field                           | value  |
        | spec.resources.requests.storage | 2049Mi |
      Then the request is refused as Forbidden
      And the refusal mentions "requests.storage"
      And there is no PersistentVolumeClaim "second"

    @id:quotas.19 @core
    Scenario Outline: A claim of 2Gi of the class <class> is <outcome>
      Given a ResourceQuota "space" with:
        | field                                                                  | value |
        | spec.hard["gherkin-gold.storageclass.storage.k8s.io/requests.storage"] | 1Gi   |
      When a PersistentVolumeClaim "data" is created with:
        | field                           | value   |
        | spec.storageClassName           | <class> |
        | spec.resources.requests.storage | 2Gi     |
      Then the request is <outcome>

      Examples:
        | class          | outcome              |
        | gherkin-gold   | refused as Forbidden |
        | gherkin-silver | accepted             |

    @id:quotas.20 @core
    Scenario: The claims of a class are counted
      Given a ResourceQuota "space" with:
        | field                                                                        | value |
        | spec.hard["gherkin-gold.storageclass.storage.k8s.io/persistentvolumeclaims"] | "5"   |
        | spec.hard["gherkin-gold.storageclass.storage.k8s.io/requests.storage"]       | 9Gi   |
      And a PersistentVolumeClaim "silver" with:
        | field                 | value          |
        | spec.storageClassName | gherkin-silver |
      When a PersistentVolumeClaim "gold" is created with:
        | field                           | value        |
        | spec.storageClassName           | gherkin-gold |
        | spec.resources.requests.storage | 2Gi          |
      Then within 10 seconds the ResourceQuota "space" has:
        | field                                                                          | value |
        | status.used["gherkin-gold.storageclass.storage.k8s.io/persistentvolumeclaims"] | "1"   |
        | status.used["gherkin-gold.storageclass.storage.k8s.io/requests.storage"]       | 2Gi   |

  @req:QUO-10
  Rule: A refusal says what was requested, used and limited, and charges nothing

    @id:quotas.21 @core
    Scenario: What was asked for, what is used and what is allowed are told
      Given a ResourceQuota "few" with:
        | field              | value |
        | spec.hard.secrets  | "2"   |
        | spec.hard.services | "5"   |
      And these Secrets:
        | name   |
        | first  |
        | second |
      When a Secret "third" is created
      Then the request is refused as Forbidden
      And the refusal mentions "few"
      And the refusal mentions "requested: secrets=1"
      And the refusal mentions "used: secrets=2"
      And the refusal mentions "limited: secrets=2"

    @id:quotas.22 @core
    Scenario: What is used stays as it was
      Given a ResourceQuota "few" with:
        | field             | value |
        | spec.hard.secrets | "1"   |
      And a Secret "first"
      When a Secret "second" is created
      Then the request is refused as Forbidden
      And for 5 seconds the ResourceQuota "few" still has:
        | field               | value |
        | status.used.secrets | "1"   |

    @id:quotas.23 @core
    Scenario: A dry run charges nothing
      Given a ResourceQuota "few" with:
        | field             | value |
        | spec.hard.secrets | "1"   |
      And the next request is a dry run
      When a Secret "first" is created
      Then the request is accepted
      And for 5 seconds the ResourceQuota "few" still has:
        | field               | value |
        | status.used.secrets | "0"   |

    @id:quotas.24 @core
    Scenario: A dry run beyond the quota is refused
      Given a ResourceQuota "none" with:
        | field             | value |
        | spec.hard.secrets | "0"   |
      And the next request is a dry run
      When a Secret "first" is created
      Then the request is refused as Forbidden

  @req:QUO-24
  Rule: Every quota of the namespace must have room, and those of other namespaces are not asked

    @id:quotas.25 @core
    Scenario: What has room is charged to every quota
      Given these ResourceQuotas:
        | name   | spec.hard.secrets |
        | narrow | "1"               |
        | wide   | "5"               |
      When a Secret "first" is created
      Then the request is accepted
      And within 10 seconds the ResourceQuota "narrow" has:
        | field               | value |
        | status.used.secrets | "1"   |
      And within 10 seconds the ResourceQuota "wide" has:
        | field               | value |
        | status.used.secrets | "1"   |

    @id:quotas.26 @core
    Scenario Outline: What the quota "<full>" refuses is not charged to the other
      Given these ResourceQuotas:
        | name | spec.hard.secrets |
        | a    | "<a>"             |
        | b    | "<b>"             |
      And a Secret "first"
      When a Secret "second" is created
      Then the request is refused as Forbidden
      And the refusal mentions "exceeded quota: <full>"
      And for 5 seconds the ResourceQuota "<other>" still has:
        | field               | value |
        | status.used.secrets | "1"   |

      Examples:
        | a | b | full | other |
        | 1 | 5 | a    | b     |
        | 5 | 1 | b    | a     |

    @id:quotas.27 @core
    Scenario: A quota neither caps nor counts what is in another namespace
      Given a Namespace "other"
      And a ResourceQuota "none" in namespace "other" with:
        | field             | value |
        | spec.hard.secrets | "1"   |
      And a Secret "first"
      When a Secret "second" is created
      Then the request is accepted
      And for 5 seconds the ResourceQuota "none" in namespace "other" still has:
        | field               | value |
        | status.used.secrets | "0"   |

  @req:QUO-11
  Rule: What is used is the sum over what is there

    @id:quotas.28 @core
    Scenario: A new quota finds out what is there already
      Given these Secrets:
        | name   |
        | first  |
        | second |
      When a ResourceQuota "few" is created with:
        | field              | value |
        | spec.hard.secrets  | "5"   |
        | spec.hard.services | "5"   |
      Then the request is accepted
      And within 10 seconds the ResourceQuota "few" has:
        | field                | value |
        | status.hard.secrets  | "5"   |
        | status.used.secrets  | "2"   |
        | status.used.services | "0"   |

    @id:quotas.29 @core
    Scenario: After many changes what is used is what is left
      Given a ResourceQuota "many" with:
        | field                            | value |
        | spec.hard["count/secrets"]       | "9"   |
        | spec.hard["requests.storage"]    | 9Gi   |
        | spec.hard.persistentvolumeclaims | "9"   |
      When these changes are made:
        | change | object                       | metadata.labels.app | spec.resources.requests.storage |
        | create | Secret "a"                   |                     |                                 |
        | create | PersistentVolumeClaim "disk" |                     | 2Gi                             |
        | create | Secret "b"                   |                     |                                 |
        | create | PersistentVolumeClaim "tape" |                     | 3Gi                             |
        | delete | Secret "a"                   |                     |                                 |
        | update | Secret "b"                   | web                 |                                 |
        | create | Secret "a"                   |                     |                                 |
        | delete | PersistentVolumeClaim "disk" |                     |                                 |
        | create | Secret "c"                   |                     |                                 |
        | create | PersistentVolumeClaim "cup"  |                     | 1Gi                             |
        | delete | Secret "b"                   |                     |                                 |
      Then within 1 minute the ResourceQuota "many" has:
        | field                              | value |
        | status.used["count/secrets"]       | "2"   |
        | status.used["requests.storage"]    | 4Gi   |
        | status.used.persistentvolumeclaims | "2"   |

    @id:quotas.30 @extended @needs:time.skip
    Scenario: What was charged for a creation that came to nothing is given back in time
      Given a ResourceQuota "few" with:
        | field             | value |
        | spec.hard.secrets | "5"   |
      And a Secret "first"
      When a Secret "first" is created
      Then the request is refused as AlreadyExists
      And within 10 minutes the ResourceQuota "few" has:
        | field               | value |
        | status.used.secrets | "1"   |

  @req:QUO-15
  Rule: A deletion lowers what is used

    @id:quotas.31 @core
    Scenario Outline: A deleted <kind> is given back
      Given a ResourceQuota "few" with:
        | field                   | value |
        | spec.hard["<resource>"] | "5"   |
      And these <kind>s:
        | name   |
        | first  |
        | second |
      When the <kind> "first" is deleted
      Then the request is accepted
      And within 1 minute the ResourceQuota "few" has:
        | field                     | value |
        | status.used["<resource>"] | "1"   |

      Examples:
        | kind                  | resource                         |
        | Pod                   | pods                             |
        | Secret                | secrets                          |
        | Lease                 | count/leases.coordination.k8s.io |
        | PersistentVolumeClaim | persistentvolumeclaims           |

    @id:quotas.32 @core
    Scenario: What has been given back can be used again
      Given a ResourceQuota "few" with:
        | field             | value |
        | spec.hard.secrets | "1"   |
      And a Secret "first"
      And somebody has deleted the Secret "first"
      And the ResourceQuota "few" has come to have:
        | field               | value |
        | status.used.secrets | "0"   |
      When a Secret "second" is created
      Then the request is accepted

  @req:QUO-12
  Rule: However many create at once, together they never exceed a quota

    @id:quotas.33 @core
    Scenario: Of many creations at once no more are admitted than there is room for
      Given a ResourceQuota "few" with:
        | field             | value |
        | spec.hard.secrets | "5"   |
      When 20 Secrets named "item-01" to "item-20" are created at once
      Then exactly 5 of the requests are accepted, and the others refused as Forbidden
      And there are 5 Secrets
      And within 10 seconds the ResourceQuota "few" has:
        | field               | value |
        | status.used.secrets | "5"   |

  @req:QUO-23
  Rule: A changed quota holds as it is now

    @id:quotas.34 @core
    Scenario: A raised quota has room for more
      Given a ResourceQuota "few" with:
        | field             | value |
        | spec.hard.secrets | "1"   |
      And a Secret "first"
      And somebody has changed the ResourceQuota "few":
        | field             | value |
        | spec.hard.secrets | "2"   |
      When a Secret "second" is created
      Then the request is accepted

    @id:quotas.35 @core
    Scenario: A quota lowered below what is used tells of both, and removes nothing
      Given a ResourceQuota "few" with:
        | field             | value |
        | spec.hard.secrets | "5"   |
      And these Secrets:
        | name   |
        | first  |
        | second |
      When the ResourceQuota "few" is updated:
        | field             | value |
        | spec.hard.secrets | "1"   |
      Then the request is accepted
      And within 10 seconds the ResourceQuota "few" has:
        | field               | value |
        | status.hard.secrets | "1"   |
        | status.used.secrets | "2"   |
      And the only Secrets are "first" and "second"

    @id:quotas.36 @core
    Scenario: A quota lowered below what is used refuses more
      Given a ResourceQuota "few" with:
        | field             | value |
        | spec.hard.secrets | "5"   |
      And these Secrets:
        | name   |
        | first  |
        | second |
      And somebody has changed the ResourceQuota "few":
        | field             | value |
        | spec.hard.secrets | "1"   |
      When a Secret "third" is created
      Then the request is refused as Forbidden
      And the refusal mentions "used: secrets=2"
      And the refusal mentions "limited: secrets=1"

    @id:quotas.37 @core
    Scenario: A quota that comes to count another kind counts what is there of it
      Given a ResourceQuota "few" with:
        | field             | value |
        | spec.hard.secrets | "5"   |
      And a Service "web"
      When the ResourceQuota "few" is updated:
        | field              | value    |
        | spec.hard.secrets  | (absent) |
        | spec.hard.services | "5"      |
      Then the request is accepted
      And within 10 seconds the ResourceQuota "few" has:
        | field       | value           |
        | status.hard | {services: "5"} |
        | status.used | {services: "1"} |

  @req:QUO-20
  Rule: A quota that cannot be measured is refused

    @id:quotas.38 @core
    Scenario Outline: A quota of <amount> for <resource> is refused
      When a ResourceQuota "odd" is created with:
        | field                   | value    |
        | spec.hard["<resource>"] | <amount> |
      Then the request is refused as Invalid for:
        | field                 | cause   |
        | spec.hard[<resource>] | invalid |
      And there is no ResourceQuota "odd"

      Examples:
        | resource     | amount |
        | secrets      | "-1"   |
        | secrets      | 500m   |
        | requests.cpu | "-1"   |
        | cupboards    | "1"    |

    @id:quotas.39 @core
    Scenario: A quota of what is no quantity is not understood
      When a ResourceQuota "odd" is created with:
        | field             | value |
        | spec.hard.secrets | many  |
      Then the request is refused as BadRequest
      And the refusal has no causes
      And there is no ResourceQuota "odd"
