Feature: Server-side apply
  Who applies an object says which fields are to have which values, and nothing of the others. The API server keeps
  who applied which field: its managers. It refuses to let one manager change what another has said, unless forced,
  and it removes what a manager no longer says and nobody else does.

  @req:API-18
  Rule: Every field that is applied is owned by its manager

    @id:apply.01 @core
    Scenario: What is not there is created, and what was said is owned
      When "alice" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, labels: {app: web}}
        data: {color: blue}
        """
      Then the request is accepted
      And the ConfigMap "settings" has:
        | field                                              | value      |
        | metadata.labels.app                                | web        |
        | data                                               | {color: blue} |
        | metadata.managedFields[manager=alice].operation    | Apply      |
        | metadata.managedFields[manager=alice].apiVersion   | v1         |
        | metadata.managedFields[manager=alice].fieldsType   | FieldsV1   |
      And "alice" owns these fields of the ConfigMap "settings":
        | field               |
        | metadata.labels.app |
        | data.color          |

    @id:apply.02 @core
    Scenario: Applying the same again changes nothing
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      And the version of the ConfigMap "settings" is called "before"
      When "alice" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      Then the request is accepted
      And the ConfigMap "settings" is still at version "before"

    @id:apply.03 @core
    Scenario: Managers who say different things own different fields
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      When "bob" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {size: large}
        """
      Then the ConfigMap "settings" has:
        | field | value                      |
        | data  | {color: blue, size: large} |
      And "alice" owns these fields of the ConfigMap "settings":
        | field      |
        | data.color |
      And "bob" owns these fields of the ConfigMap "settings":
        | field     |
        | data.size |
      And "bob" owns none of these fields of the ConfigMap "settings":
        | field      |
        | data.color |

    @id:apply.04 @core
    Scenario: What the server adds is owned by nobody
      When "alice" applies:
        """
        apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec: {ports: [{port: 80}]}
        """
      Then the Service "web" has:
        | field                     | value |
        | spec.ports[0].protocol    | TCP   |
        | spec.sessionAffinity      | None  |
      And "alice" owns none of these fields of the Service "web":
        | field                |
        | spec.sessionAffinity |
        | metadata.uid         |

    @id:apply.05 @core
    Scenario: Who updates a field takes it from the one who applied it
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue, size: large}
        """
      And the next request is made by the manager "carol"
      When the ConfigMap "settings" is updated:
        | field      | value |
        | data.color | green |
      Then "carol" owns these fields of the ConfigMap "settings":
        | field      |
        | data.color |
      And "alice" owns none of these fields of the ConfigMap "settings":
        | field      |
        | data.color |
      And "alice" owns these fields of the ConfigMap "settings":
        | field     |
        | data.size |

    @id:apply.06 @core
    Scenario: A patch owns what it changes, too
      Given a ConfigMap "settings" with:
        | field     | value |
        | data.size | large |
      And the next request is made by the manager "carol"
      When the ConfigMap "settings" is changed by the merge patch:
        """
        data: {color: blue}
        """
      Then "carol" owns these fields of the ConfigMap "settings":
        | field      |
        | data.color |
      And "carol" owns none of these fields of the ConfigMap "settings":
        | field     |
        | data.size |

    @id:apply.29 @extended
    Scenario: Who says an empty value owns it, though it is not read back
      When "alice" applies:
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          replicas: 0
          paused: false
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]}
        """
      Then the request is accepted
      And the Deployment "web" has:
        | field       | value    |
        | spec.paused | (absent) |
      And "alice" owns these fields of the Deployment "web":
        | field       |
        | spec.paused |

  @req:API-18
  Rule: A field that another manager owns with another value is refused, unless the applier insists

    @id:apply.07 @core
    Scenario: The conflict tells each field and who owns it
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, labels: {app: web}}
        data: {color: blue}
        """
      And the version of the ConfigMap "settings" is called "before"
      When "bob" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, labels: {app: db}}
        data: {color: green, size: large}
        """
      Then the request is refused as Conflict
      And the conflict names:
        | manager | field                |
        | alice   | .data.color          |
        | alice   | .metadata.labels.app |
      And the ConfigMap "settings" is still at version "before"

    @id:apply.08 @core
    Scenario: Who updated a field defends it, too
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      When "bob" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: green}
        """
      Then the request is refused as Conflict
      And the ConfigMap "settings" has:
        | field      | value |
        | data.color | blue  |

    @id:apply.09 @core
    Scenario: Who insists gets the field, and the other loses it
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue, size: large}
        """
      When "bob" applies with force:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: green}
        """
      Then the ConfigMap "settings" has:
        | field | value                       |
        | data  | {color: green, size: large} |
      And "bob" owns these fields of the ConfigMap "settings":
        | field      |
        | data.color |
      And "alice" owns none of these fields of the ConfigMap "settings":
        | field      |
        | data.color |

    @id:apply.10 @core
    Scenario: Managers who say the same share the field
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      When "bob" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      Then the request is accepted
      And "alice" owns these fields of the ConfigMap "settings":
        | field      |
        | data.color |
      And "bob" owns these fields of the ConfigMap "settings":
        | field      |
        | data.color |

  @req:API-18
  Rule: A field that its manager no longer applies is removed, unless somebody else owns it

    @id:apply.11 @core
    Scenario: A field that is left out is removed
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, labels: {app: web}}
        data: {color: blue, size: large}
        """
      When "alice" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      Then the ConfigMap "settings" has:
        | field           | value         |
        | metadata.labels | (absent)      |
        | data            | {color: blue} |

    @id:apply.12 @core
    Scenario: A field that somebody else owns as well stays
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue, size: large}
        """
      And "bob" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {size: large}
        """
      When "alice" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      Then the ConfigMap "settings" has:
        | field | value                      |
        | data  | {color: blue, size: large} |
      And "alice" owns none of these fields of the ConfigMap "settings":
        | field     |
        | data.size |

    @id:apply.13 @core
    Scenario: A field that somebody else has taken over stays
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue, size: large}
        """
      And somebody has changed the ConfigMap "settings":
        | field     | value |
        | data.size | small |
      When "alice" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      Then the ConfigMap "settings" has:
        | field | value                      |
        | data  | {color: blue, size: small} |

    @id:apply.14 @core
    Scenario: The replica count is handed over without being reset in between
      Given "alice" has applied:
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          replicas: 0
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]}
        """
      And "handover" has applied:
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec: {replicas: 0}
        """
      When "alice" applies:
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]}
        """
      Then the Deployment "web" has:
        | field         | value |
        | spec.replicas | 0     |
      And "handover" owns these fields of the Deployment "web":
        | field         |
        | spec.replicas |
      And "alice" owns none of these fields of the Deployment "web":
        | field         |
        | spec.replicas |

    @id:apply.15 @core
    Scenario: A count that only its former manager applied falls back to the default
      Given "alice" has applied:
        """
        apiVersion: apps/v1
        kind: StatefulSet
        metadata: {name: web}
        spec:
          replicas: 0
          serviceName: web
          revisionHistoryLimit: 3
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]}
        """
      When "alice" applies:
        """
        apiVersion: apps/v1
        kind: StatefulSet
        metadata: {name: web}
        spec:
          replicas: 0
          serviceName: web
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]}
        """
      Then the StatefulSet "web" has:
        | field                     | value |
        | spec.revisionHistoryLimit | 10    |

    @id:apply.16 @core
    Scenario: Whoever changes the scale owns the replica count
      Given "alice" has applied:
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          replicas: 0
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec:
              schedulerName: nobody
              containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]
        """
      And the next request is made by the manager "autoscaler"
      When the scale of the Deployment "web" is changed by the merge patch:
        """
        spec: {replicas: 1}
        """
      Then the request is accepted
      And "autoscaler" owns these fields of the Deployment "web":
        | field         |
        | spec.replicas |
      And "alice" owns none of these fields of the Deployment "web":
        | field         |
        | spec.replicas |

  @req:API-18
  Rule: Lists with keys are merged entry by entry, sets value by value, and other lists have one owner

    @id:apply.17 @core
    Scenario: Each of two managers owns its container
      Given "alice" has applied:
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          replicas: 0
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]}
        """
      When "bob" applies:
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec: {template: {spec: {containers: [{name: side, image: "registry.k8s.io/pause:3.9"}]}}}
        """
      Then the Deployment "web" has:
        | field                                          | value                      |
        | spec.template.spec.containers[name=main].image | registry.k8s.io/pause:3.10 |
        | spec.template.spec.containers[name=side].image | registry.k8s.io/pause:3.9  |
      And "alice" owns these fields of the Deployment "web":
        | field                                          |
        | spec.template.spec.containers[name=main].image |
      And "bob" owns these fields of the Deployment "web":
        | field                                          |
        | spec.template.spec.containers[name=side].image |

    @id:apply.18 @core
    Scenario: A port is known by its number together with its protocol
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: Service
        metadata: {name: dns}
        spec: {ports: [{name: dns, port: 53, protocol: UDP}]}
        """
      When "bob" applies:
        """
        apiVersion: v1
        kind: Service
        metadata: {name: dns}
        spec: {ports: [{name: dns-tcp, port: 53, protocol: TCP}]}
        """
      Then the Service "dns" has:
        | field                                  | value |
        | spec.ports[name=dns].protocol          | UDP   |
        | spec.ports[name=dns-tcp].protocol      | TCP   |

    @id:apply.19 @core
    Scenario: An entry goes with its last manager
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec: {ports: [{name: http, port: 80, protocol: TCP}, {name: https, port: 443, protocol: TCP}]}
        """
      When "alice" applies:
        """
        apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec: {ports: [{name: https, port: 443, protocol: TCP}]}
        """
      Then the Service "web" has:
        | field                       | value    |
        | spec.ports[name=https].port | 443      |
        | spec.ports[1]               | (absent) |

    @id:apply.20 @core
    Scenario: The values of a set have managers of their own
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, finalizers: [example.com/a]}
        """
      And "bob" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, finalizers: [example.com/b]}
        """
      When "alice" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        """
      Then the ConfigMap "settings" has:
        | field               | value           |
        | metadata.finalizers | [example.com/b] |
      And "bob" owns these fields of the ConfigMap "settings":
        | field                                |
        | metadata.finalizers[="example.com/b"] |

    @id:apply.21 @core
    Scenario: A list without keys is one field, and its manager defends it whole
      Given "alice" has applied:
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          replicas: 0
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10", args: [one]}]}
        """
      When "bob" applies:
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec: {template: {spec: {containers: [{name: main, args: [one, two]}]}}}
        """
      Then the request is refused as Conflict
      And the conflict names:
        | manager | field                                                |
        | alice   | .spec.template.spec.containers[name="main"].args     |

  @req:API-18
  Rule: An apply names its manager, says nothing of managers itself, and can be tried out

    @id:apply.22 @core
    Scenario: An apply without a manager's name is refused
      When somebody applies without a manager's name:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      Then the request is refused as Invalid for:
        | field        | cause    |
        | fieldManager | required |
      And there is no ConfigMap "settings"

    @id:apply.23 @core
    Scenario: An apply that brings its own record of managers is refused
      When "alice" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, managedFields: []}
        data: {color: blue}
        """
      Then the request is refused as BadRequest
      And there is no ConfigMap "settings"

    @id:apply.24 @core
    Scenario: An apply that leaves an object which breaks a rule changes nothing
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      And the version of the ConfigMap "settings" is called "before"
      When "alice" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: green, the hue: red}
        """
      Then the request is refused as Invalid for:
        | field         | cause   |
        | data[the hue] | invalid |
      And the ConfigMap "settings" is still at version "before"

    @id:apply.25 @core
    Scenario: An apply that is tried out answers with managers and stores nothing
      Given the next request is a dry run
      When "alice" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      Then the answer has:
        | field                                           | value |
        | data.color                                      | blue  |
        | metadata.managedFields[manager=alice].operation | Apply |
      And there is no ConfigMap "settings"

    @id:apply.26 @core
    Scenario: The status is applied apart from the rest
      Given a Pod "web" with:
        """
        spec:
          schedulerName: nobody
          readinessGates: [{conditionType: example.com/warm}]
        """
      When "prober" applies to the status:
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: web}
        status: {conditions: [{type: example.com/warm, status: "True"}]}
        """
      Then the Pod "web" has:
        | field                                                     | value  |
        | status.conditions[type=example.com/warm].status           | "True" |
        | metadata.managedFields[manager=prober].subresource        | status |
      And "prober" owns these fields of the Pod "web":
        | field                                           |
        | status.conditions[type=example.com/warm].status |

    @id:apply.27 @extended
    Scenario: A record that is overwritten with an empty one is gone
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      When the ConfigMap "settings" is changed by the merge patch:
        """
        metadata: {managedFields: [{}]}
        """
      Then the ConfigMap "settings" has:
        | field                  | value    |
        | metadata.managedFields | (absent) |
        | data.color             | blue     |

    @id:apply.28 @core
    Scenario: An update that does not mention managers leaves the record as it is
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      When the ConfigMap "settings" is updated:
        | field                  | value    |
        | metadata.managedFields | (absent) |
        | data.size              | large    |
      Then "alice" owns these fields of the ConfigMap "settings":
        | field      |
        | data.color |
