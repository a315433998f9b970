@needs:pods.run
Feature: Endpoints
  Pods come and go, a Service stays. Its Endpoints are the list that leads from one to the other: an object of the
  Service's name with the address and the port of every Pod behind it, kept up to date by a controller that watches
  Services and Pods. Whoever sends traffic reads this list, or its slices, and never looks for Pods itself.

  @req:EP-1
  Rule: The Endpoints of a Service list address and port of every ready Pod behind it

    @id:endpoints.01 @core
    Scenario: The Pods that the selector matches are listed, and no others
      Given a Namespace "other"
      And these running Pods:
        | name | namespace | labels              |
        | a    | home      | app=web             |
        | b    | home      | app=web, tier=front |
        | c    | home      | app=db              |
        | d    | home      | tier=front          |
        | e    | other     | app=web             |
      When a Service "web" is created with:
        | field         | value      |
        | spec.selector | {app: web} |
      Then within 30 seconds the Endpoints "web" list:
        | Pod | address   | port | ready |
        | a   | (its own) | 80   | yes   |
        | b   | (its own) | 80   | yes   |

    @id:endpoints.02 @core
    Scenario: A Pod must have all the labels of the selector
      Given these running Pods:
        | name | labels                       |
        | a    | app=web                      |
        | b    | tier=front                   |
        | c    | app=web, tier=front          |
        | d    | app=web, tier=back           |
        | e    | app=web, tier=front, color=x |
      When a Service "web" is created with:
        | field         | value                   |
        | spec.selector | {app: web, tier: front} |
      Then within 30 seconds the Endpoints "web" list:
        | Pod |
        | c   |
        | e   |

    @id:endpoints.03 @core
    Scenario: What is listed is the port of the Pods, not that of the Service
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      When a Service "web" is created with:
        | field      | value                          |
        | spec.ports | [{port: 80, targetPort: 8080}] |
      Then within 30 seconds the Endpoints "web" list:
        | Pod | port |
        | a   | 8080 |

    @id:endpoints.04 @core
    Scenario: Each of several ports is listed by its name, with its protocol
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
        | b    | app=web |
      When a Service "web" is created with:
        """
        spec:
          ports:
            - {name: http, port: 80, targetPort: 8080}
            - {name: dns, port: 53, protocol: UDP}
        """
      Then within 30 seconds the Endpoints "web" list:
        | Pod | port name | port | protocol |
        | a   | http      | 8080 | TCP      |
        | a   | dns       | 53   | UDP      |
        | b   | http      | 8080 | TCP      |
        | b   | dns       | 53   | UDP      |

    @id:endpoints.05 @core
    Scenario: A Pod that is not ready is listed apart
      Given these running Pods:
        | name | labels  | gate   |
        | a    | app=web | open   |
        | b    | app=web | closed |
      When a Service "web" is created
      Then within 30 seconds the Endpoints "web" list:
        | Pod | ready |
        | a   | yes   |
        | b   | no    |

    @id:endpoints.06 @core
    Scenario: A Service that publishes addresses that are not ready lists every Pod as ready
      Given these running Pods:
        | name | labels  | gate   |
        | a    | app=web | open   |
        | b    | app=web | closed |
      When a Service "web" is created with:
        | field                         | value |
        | spec.publishNotReadyAddresses | true  |
      Then within 30 seconds the Endpoints "web" list:
        | Pod | ready |
        | a   | yes   |
        | b   | yes   |

    @id:endpoints.07 @core
    Scenario: A Pod that has no address yet is not listed
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a Service "web"
      And the Endpoints "web" list:
        | Pod |
        | a   |
      When a Pod "b" is created with:
        | field                | value                       |
        | metadata.labels      | {app: web}                  |
        | spec.schedulingGates | [{name: gherkube.dev/wait}] |
      Then for 10 seconds the Endpoints "web" still list:
        | Pod |
        | a   |

    @id:endpoints.08 @extended
    Scenario: A Pod on its host's network is listed by the address of its node
      Given a Service "web"
      When a Pod "a" is created with:
        | field            | value      |
        | metadata.labels  | {app: web} |
        | spec.hostNetwork | true       |
      Then within 30 seconds the Endpoints "web" list:
        | Pod | address      | node      |
        | a   | (its node's) | (its own) |

    @id:endpoints.09 @core
    Scenario: Two Services over the same Pods list them both
      Given these running Pods:
        | name | labels              |
        | a    | app=web, tier=front |
        | b    | app=web, tier=back  |
      And a Service "web"
      When a Service "front" is created with:
        | field         | value                          |
        | spec.selector | {tier: front}                  |
        | spec.ports    | [{port: 80, targetPort: 8080}] |
      Then within 30 seconds the Endpoints "front" list:
        | Pod | port |
        | a   | 8080 |
      And within 30 seconds the Endpoints "web" list:
        | Pod | port |
        | a   | 80   |
        | b   | 80   |

  @req:EP-2
  Rule: A Service with a selector gets Endpoints of its name

    @id:endpoints.10 @core
    Scenario: A Service that matches no Pod gets Endpoints that list nothing
      Given these running Pods:
        | name | labels |
        | a    | app=db |
      When a Service "web" is created
      Then within 30 seconds the Endpoints "web" list nothing

    @id:endpoints.11 @core
    Scenario: A headless Service gets Endpoints, too
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      When a Service "web" is created with:
        | field          | value |
        | spec.clusterIP | None  |
      Then within 30 seconds the Endpoints "web" list:
        | Pod | address   | port |
        | a   | (its own) | 80   |

    @id:endpoints.12 @extended
    Scenario: A headless Service without ports lists addresses alone
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      When a Service "web" is created with:
        | field          | value |
        | spec.clusterIP | None  |
        | spec.ports     | []    |
      Then within 30 seconds the Endpoints "web" list:
        | Pod | address   | port |
        | a   | (its own) |      |

    @id:endpoints.13 @core
    Scenario: A Service that is only another name for something outside gets none
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      When a Service "web" is created with:
        | field             | value        |
        | spec.type         | ExternalName |
        | spec.externalName | example.com  |
      Then for 10 seconds there is no Endpoints "web"

    @id:endpoints.14 @extended
    Scenario: Endpoints that somebody deletes come back
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a Service "web"
      And the Endpoints "web" list:
        | Pod |
        | a   |
      When the Endpoints "web" are deleted
      Then within 30 seconds the Endpoints "web" list:
        | Pod |
        | a   |

  @req:EP-3
  Rule: Endpoints go with their Service

    @id:endpoints.15 @core
    Scenario: Deleting the Service deletes its Endpoints, and leaves the Pods alone
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a Service "web"
      And a Service "other"
      And the Endpoints "web" list:
        | Pod |
        | a   |
      When the Service "web" is deleted
      Then within 30 seconds there is no Endpoints "web"
      And there is a Pod "a"
      And for 5 seconds the Endpoints "other" still list:
        | Pod |
        | a   |

    @id:endpoints.16 @extended
    Scenario: Endpoints that a user has written go, too
      Given a Service "db" with:
        | field         | value    |
        | spec.selector | (absent) |
      And an Endpoints "db" with:
        """
        subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 5432}]}]
        """
      When the Service "db" is deleted
      Then within 30 seconds there is no Endpoints "db"

  @req:EP-4
  Rule: Endpoints follow the Pods and the Service

    @id:endpoints.17 @core
    Scenario: A new Pod joins
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a Service "web"
      And the Endpoints "web" list:
        | Pod |
        | a   |
      When a Pod "b" is created with:
        | field           | value      |
        | metadata.labels | {app: web} |
      Then within 60 seconds the Endpoints "web" list:
        | Pod | address   | port | ready |
        | a   | (its own) | 80   | yes   |
        | b   | (its own) | 80   | yes   |

    @id:endpoints.18 @core
    Scenario: A deleted Pod leaves
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
        | b    | app=web |
      And a Service "web"
      And the Endpoints "web" list:
        | Pod |
        | a   |
        | b   |
      When the Pod "a" is deleted
      Then within 30 seconds the Endpoints "web" list:
        | Pod |
        | b   |

    @id:endpoints.19 @core
    Scenario: The last Pod leaves Endpoints that list nothing
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a Service "web"
      And the Endpoints "web" list:
        | Pod |
        | a   |
      When the Pod "a" is deleted
      Then within 30 seconds the Endpoints "web" list nothing

    @id:endpoints.20 @core
    Scenario: A Pod whose labels stop matching leaves
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
        | b    | app=web |
      And a Service "web"
      And the Endpoints "web" list:
        | Pod |
        | a   |
        | b   |
      When the Pod "a" is updated:
        | field               | value |
        | metadata.labels.app | db    |
      Then within 30 seconds the Endpoints "web" list:
        | Pod |
        | b   |

    @id:endpoints.34 @core
    Scenario: A Pod whose labels come to match joins
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
        | b    | app=db  |
      And a Service "web"
      And the Endpoints "web" list:
        | Pod |
        | a   |
      When the Pod "b" is updated:
        | field               | value |
        | metadata.labels.app | web   |
      Then within 30 seconds the Endpoints "web" list:
        | Pod |
        | a   |
        | b   |

    @id:endpoints.21 @core
    Scenario: A changed selector selects other Pods
      Given these running Pods:
        | name | labels               |
        | a    | app=web, color=blue  |
        | b    | app=web, color=green |
      And a Service "web" with:
        | field         | value         |
        | spec.selector | {color: blue} |
      And the Endpoints "web" list:
        | Pod |
        | a   |
      When the Service "web" is updated:
        | field         | value          |
        | spec.selector | {color: green} |
      Then within 30 seconds the Endpoints "web" list:
        | Pod |
        | b   |

    @id:endpoints.22 @core
    Scenario: A port that the Service gives another name and target is listed so
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a Service "web" with:
        | field      | value                    |
        | spec.ports | [{name: http, port: 80}] |
      And the Endpoints "web" list:
        | Pod | port name | port |
        | a   | http      | 80   |
      When the Service "web" is updated:
        | field      | value                                     |
        | spec.ports | [{name: web, port: 80, targetPort: 8080}] |
      Then within 30 seconds the Endpoints "web" list:
        | Pod | port name | port |
        | a   | web       | 8080 |

    @id:endpoints.23 @core
    Scenario: A Pod that has failed is not listed
      Given these running Pods:
        | name | labels  | spec.activeDeadlineSeconds | spec.restartPolicy |
        | a    | app=web |                            |                    |
        | b    | app=web | 20                         | Never              |
      And the Pod "b" has come to have:
        | field        | value  |
        | status.phase | Failed |
      When a Service "web" is created
      Then within 30 seconds the Endpoints "web" list:
        | Pod |
        | a   |

    @id:endpoints.24 @extended
    Scenario: A Pod that takes the name of another is listed as itself
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a Service "web"
      And the Endpoints "web" list:
        | Pod | uid       |
        | a   | (its own) |
      And somebody has deleted the Pod "a"
      And the Pod "a" has gone
      When a Pod "a" is created with:
        | field           | value      |
        | metadata.labels | {app: web} |
      Then within 60 seconds the Endpoints "web" list:
        | Pod | uid       |
        | a   | (its own) |

    @id:endpoints.25 @core
    Scenario: A Pod on its way out is listed no more, even while it still runs
      Given these running Pods:
        | name | labels  | stops  |
        | a    | app=web |        |
        | b    | app=web | slowly |
      And a Service "web"
      And the Endpoints "web" list:
        | Pod |
        | a   |
        | b   |
      When the Pod "b" is deleted
      Then within 30 seconds the Endpoints "web" list:
        | Pod |
        | a   |
      And there is a Pod "b"

  @req:EP-9
  Rule: Only a Pod that is ready has its address among the ready ones

    @id:endpoints.26 @core
    Scenario: A Pod that turns unready leaves the ready addresses
      Given these running Pods:
        | name | labels  | gate |
        | a    | app=web |      |
        | b    | app=web | open |
      And a Service "web"
      And the Endpoints "web" list:
        | Pod | ready |
        | a   | yes   |
        | b   | yes   |
      When the readiness gate of the Pod "b" closes
      Then within 30 seconds the Endpoints "web" list:
        | Pod | ready |
        | a   | yes   |
        | b   | no    |

    @id:endpoints.27 @core
    Scenario: A Pod that is ready again returns to them
      Given these running Pods:
        | name | labels  | gate   |
        | a    | app=web |        |
        | b    | app=web | closed |
      And a Service "web"
      And the Endpoints "web" list:
        | Pod | ready |
        | a   | yes   |
        | b   | no    |
      When the readiness gate of the Pod "b" opens
      Then within 30 seconds the Endpoints "web" list:
        | Pod | ready |
        | a   | yes   |
        | b   | yes   |

    @id:endpoints.35 @core @needs:nodes.fault
    Scenario: A Pod of which nobody knows any more whether it is ready leaves them
      Given the nodes "far" have joined
      And these running Pods:
        | name | labels  | spec.nodeName |
        | a    | app=web | far           |
      And a Service "web"
      And the Endpoints "web" list:
        | Pod | ready |
        | a   | yes   |
      When the node "far" is cut off
      Then within 90 seconds the Endpoints "web" list:
        | Pod | ready |
        | a   | no    |

    @id:endpoints.36 @core @needs:nodes.fault
    Scenario: A Pod whose node is connected again returns to them
      Given the nodes "far" have joined
      And these running Pods:
        | name | labels  | spec.nodeName |
        | a    | app=web | far           |
      And a Service "web"
      And the node "far" has been cut off
      And the Node "far" has come to be unreachable
      When the node "far" is connected again
      Then within 60 seconds the Endpoints "web" list:
        | Pod | ready |
        | a   | yes   |

  @req:EP-6
  Rule: The Endpoints of a Service without a selector belong to who writes them

    @id:endpoints.28 @core
    Scenario: What a user has written stays
      Given a Service "db" with:
        | field         | value    |
        | spec.selector | (absent) |
      And these running Pods:
        | name | labels |
        | a    | app=db |
      When an Endpoints "db" is created with:
        """
        subsets: [{addresses: [{ip: 192.0.2.1}], notReadyAddresses: [{ip: 192.0.2.2}], ports: [{port: 5432}]}]
        """
      Then for 10 seconds the Endpoints "db" still list:
        | address   | port | ready |
        | 192.0.2.1 | 5432 | yes   |
        | 192.0.2.2 | 5432 | no    |

    @id:endpoints.29 @core
    Scenario: Nobody writes Endpoints for it
      Given these running Pods:
        | name | labels |
        | a    | app=db |
      When a Service "db" is created with:
        | field         | value    |
        | spec.selector | (absent) |
      Then for 10 seconds there is no Endpoints "db"

  @req:EP-7
  Rule: A target port by name is, on each Pod, the port that has the name there

    @id:endpoints.30 @core
    Scenario: One name stands for different numbers on different Pods
      Given these running Pods:
        | name | labels  | spec.containers[0].ports           |
        | a    | app=web | [{name: http, containerPort: 80}]   |
        | b    | app=web | [{name: http, containerPort: 8080}] |
      When a Service "web" is created with:
        | field                    | value |
        | spec.ports[0].targetPort | http  |
      Then within 30 seconds the Endpoints "web" list:
        | Pod | port |
        | a   | 80   |
        | b   | 8080 |

    @id:endpoints.31 @core
    Scenario Outline: A Pod where <why> is not listed
      Given these running Pods:
        | name | labels  | spec.containers[0].ports                         |
        | a    | app=web | [{name: http, containerPort: 80}]                 |
        | b    | app=web | [{name: <name>, containerPort: 8080, protocol: <protocol>}] |
      When a Service "web" is created with:
        | field                    | value |
        | spec.ports[0].targetPort | http  |
      Then within 30 seconds the Endpoints "web" list:
        | Pod | port |
        | a   | 80   |

      Examples:
        | why                               | name  | protocol |
        | no port has the name              | admin | TCP      |
        | the name is that of another protocol | http  | UDP      |

    @id:endpoints.32 @core
    Scenario: A Pod that has the name of one port only is listed for that one
      Given these running Pods:
        | name | labels  | spec.containers[0].ports                                              |
        | a    | app=web | [{name: http, containerPort: 80}, {name: admin, containerPort: 9000}] |
        | b    | app=web | [{name: http, containerPort: 8080}]                                   |
      When a Service "web" is created with:
        """
        spec:
          ports:
            - {name: front, port: 80, targetPort: http}
            - {name: back, port: 9000, targetPort: admin}
        """
      Then within 30 seconds the Endpoints "web" list:
        | Pod | port name | port |
        | a   | front     | 80   |
        | a   | back      | 9000 |
        | b   | front     | 8080 |

    @id:endpoints.33 @extended
    Scenario: The name may be that of a sidecar's port
      Given these running Pods:
        | name | labels  | spec.initContainers                                                                                                           |
        | a    | app=web | [{name: proxy, image: "registry.k8s.io/pause:3.10", restartPolicy: Always, ports: [{name: http, containerPort: 15001}]}] |
      When a Service "web" is created with:
        | field                    | value |
        | spec.ports[0].targetPort | http  |
      Then within 30 seconds the Endpoints "web" list:
        | Pod | port  |
        | a   | 15001 |
