@needs:pods.run
Feature: EndpointSlices
  The endpoints of a large Service do not fit well into one object, which would be sent to every node whenever one Pod
  changes. So they are kept in slices of at most a hundred, each with the label of its Service. A slice tells more than
  Endpoints do: whether an endpoint is ready for new traffic, whether it serves, and whether it is on its way out.

  @req:EP-8
  Rule: The slices of a Service list its endpoints, and in which condition they are

    @id:slices.01 @core
    Scenario: A Pod that is ready is ready, serves and stays
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
        | b    | app=web |
        | c    | app=db  |
      When a Service "web" is created
      Then within 30 seconds the slices of the Service "web" list:
        | Pod | address   | node      | port | ready | serving | terminating |
        | a   | (its own) | (its own) | 80   | yes   | yes     | no          |
        | b   | (its own) | (its own) | 80   | yes   | yes     | no          |

    @id:slices.02 @core
    Scenario: A Pod that is not ready is listed as such
      Given these running Pods:
        | name | labels  | gate   |
        | a    | app=web |        |
        | b    | app=web | closed |
      When a Service "web" is created
      Then within 30 seconds the slices of the Service "web" list:
        | Pod | ready | serving | terminating |
        | a   | yes   | yes     | no          |
        | b   | no    | no      | no          |

    @id:slices.03 @core
    Scenario: A Pod that turns unready and ready again is listed so
      Given these running Pods:
        | name | labels  | gate |
        | a    | app=web | open |
      And a Service "web"
      And the slices of the Service "web" list:
        | Pod | ready |
        | a   | yes   |
      When the readiness gate of the Pod "a" closes
      Then within 30 seconds the slices of the Service "web" list:
        | Pod | ready | serving |
        | a   | no    | no      |

    @id:slices.04 @core
    Scenario: A Pod on its way out that still serves is no longer ready for new traffic
      Given these running Pods:
        | name | labels  | stops  |
        | a    | app=web |        |
        | b    | app=web | slowly |
      And a Service "web"
      And the slices of the Service "web" list:
        | Pod |
        | a   |
        | b   |
      When the Pod "b" is deleted
      Then within 30 seconds the slices of the Service "web" list:
        | Pod | ready | serving | terminating |
        | a   | yes   | yes     | no          |
        | b   | no    | yes     | yes         |

    @id:slices.05 @core
    Scenario: A Service that publishes addresses that are not ready has every Pod ready, whether it serves or not
      Given these running Pods:
        | name | labels  | gate   |
        | a    | app=web | closed |
      When a Service "web" is created with:
        | field                         | value |
        | spec.publishNotReadyAddresses | true  |
      Then within 30 seconds the slices of the Service "web" list:
        | Pod | ready | serving |
        | a   | yes   | no      |

    @id:slices.06 @core
    Scenario: Each of several ports is told with its name and protocol
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      When a Service "web" is created with:
        """
        spec:
          ports:
            - {name: http, port: 80, targetPort: 8080}
            - {name: dns, port: 53, protocol: UDP}
        """
      Then within 30 seconds the slices of the Service "web" list:
        | Pod | port name | port | protocol |
        | a   | http      | 8080 | TCP      |
        | a   | dns       | 53   | UDP      |

    @id:slices.07 @core @req:EP-7
    Scenario: Pods on which a name stands for different ports are listed in different slices
      Given these running Pods:
        | name | labels  | spec.containers[0].ports            |
        | a    | app=web | [{name: http, containerPort: 80}]   |
        | b    | app=web | [{name: http, containerPort: 8080}] |
      When a Service "web" is created with:
        | field                    | value |
        | spec.ports[0].targetPort | http  |
      Then within 30 seconds there are 2 EndpointSlices labelled "kubernetes.io/service-name=web"
      And within 10 seconds the slices of the Service "web" list:
        | Pod | port |
        | a   | 80   |
        | b   | 8080 |

    @id:slices.08 @extended
    Scenario: A Pod with a name under a headless Service is listed with it
      Given these running Pods:
        | name | labels  | spec.hostname | spec.subdomain |
        | a    | app=web | first         | web            |
        | b    | app=web | second        | db             |
      When a Service "web" is created with:
        | field          | value |
        | spec.clusterIP | None  |
      Then within 30 seconds the slices of the Service "web" list:
        | Pod | hostname |
        | a   | first    |
        | b   |          |

    @id:slices.09 @core
    Scenario: A Pod that has failed is not listed
      Given these running Pods:
        | name | labels  | spec.activeDeadlineSeconds | spec.restartPolicy |
        | a    | app=web |                            |                    |
        | b    | app=web | 30                         | Never              |
      When a Service "web" is created
      Then within 60 seconds the Pod "b" has:
        | field        | value  |
        | status.phase | Failed |
      And within 30 seconds the slices of the Service "web" list:
        | Pod |
        | a   |

  @req:EP-8
  Rule: Slices hold at most a hundred endpoints, and change only as much as they must

    @id:slices.10 @extended
    Scenario: One endpoint more than a hundred begins another slice
      Given 101 running Pods labelled "app=web"
      When a Service "web" is created
      Then within 60 seconds the slices of the Service "web" hold 101 endpoints, at most 100 each

    @id:slices.11 @extended
    Scenario: A change of a Pod that does not concern its endpoint changes no slice
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a Service "web"
      And the slices of the Service "web" list:
        | Pod |
        | a   |
      And a watch of the EndpointSlices
      When the Pod "a" is updated:
        | field                 | value |
        | metadata.labels.color | blue  |
      Then the watch delivers nothing

    @id:slices.12 @core
    Scenario: A deleted Pod leaves, and a new one joins
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
        | b    | app=web |
      And a Service "web"
      And the slices of the Service "web" list:
        | Pod |
        | a   |
        | b   |
      And somebody has deleted the Pod "a"
      When a Pod "c" is created with:
        | field           | value      |
        | metadata.labels | {app: web} |
      Then within 60 seconds the slices of the Service "web" list:
        | Pod | ready |
        | b   | yes   |
        | c   | yes   |

    @id:slices.13 @core
    Scenario: A port that the Service changes is changed in its slices
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a Service "web"
      And the slices of the Service "web" list:
        | Pod | port |
        | a   | 80   |
      When the Service "web" is updated:
        | field      | value                                     |
        | spec.ports | [{name: web, port: 80, targetPort: 8080}] |
      Then within 30 seconds the slices of the Service "web" list:
        | Pod | port name | port |
        | a   | web       | 8080 |

  @req:EP-8
  Rule: A slice belongs to its Service, and comes and goes with it

    @id:slices.14 @core
    Scenario: A slice has the labels of its Service, and one with the name of it
      When a Service "web" is created with:
        | field           | value                    |
        | metadata.labels | {team: red, color: blue} |
      Then within 30 seconds there are 1 EndpointSlices labelled "kubernetes.io/service-name=web,team=red,color=blue"

    @id:slices.15 @core
    Scenario: A Service that matches no Pod has slices that list nothing
      When a Service "web" is created
      Then within 30 seconds the slices of the Service "web" list nothing

    @id:slices.16 @core
    Scenario: The slices of a deleted Service go
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a Service "web"
      And the slices of the Service "web" list:
        | Pod |
        | a   |
      When the Service "web" is deleted
      Then within 60 seconds there are no EndpointSlices

    @id:slices.17 @core
    Scenario: A slice that somebody deletes comes back
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a Service "web"
      And the slices of the Service "web" list:
        | Pod |
        | a   |
      When all EndpointSlices labelled "kubernetes.io/service-name=web" are deleted
      Then within 30 seconds the slices of the Service "web" list:
        | Pod |
        | a   |

    @id:slices.18 @core
    Scenario: A Service that is only another name for something outside has none
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      When a Service "web" is created with:
        | field             | value        |
        | spec.type         | ExternalName |
        | spec.externalName | example.com  |
      Then for 10 seconds there are no EndpointSlices

    @id:slices.19 @extended
    Scenario: A slice that a user keeps for the Service is left alone
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And a Service "web"
      And the slices of the Service "web" list:
        | Pod |
        | a   |
      When an EndpointSlice "own" is created with:
        """
        metadata:
          labels: {kubernetes.io/service-name: web, endpointslice.kubernetes.io/managed-by: somebody}
        addressType: IPv4
        endpoints: [{addresses: [192.0.2.1]}]
        ports: [{port: 80}]
        """
      Then for 10 seconds the slices of the Service "web" still list:
        | Pod | port |
        | a   | 80   |
        |     | 80   |

  @req:EP-6 @req:EP-8
  Rule: Endpoints that a user writes for a Service without a selector are mirrored in slices

    Background:
      Given a Service "db" with:
        | field         | value    |
        | spec.selector | (absent) |

    @id:slices.20 @core
    Scenario: Every address that was written is found in a slice
      When an Endpoints "db" is created with:
        """
        subsets:
          - addresses: [{ip: 192.0.2.1}]
            notReadyAddresses: [{ip: 192.0.2.2}]
            ports: [{name: sql, port: 5432}]
        """
      Then within 30 seconds the slices of the Service "db" list:
        | address   | port name | port | ready |
        | 192.0.2.1 | sql       | 5432 | yes   |
        | 192.0.2.2 | sql       | 5432 | no    |

    @id:slices.21 @core
    Scenario: What changes in the Endpoints changes in the slices
      Given an Endpoints "db" with:
        """
        subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 5432}]}]
        """
      And the slices of the Service "db" list:
        | address   | port |
        | 192.0.2.1 | 5432 |
      When the Endpoints "db" are updated:
        """
        subsets: [{addresses: [{ip: 192.0.2.3}], ports: [{port: 5433}]}]
        """
      Then within 30 seconds the slices of the Service "db" list:
        | address   | port |
        | 192.0.2.3 | 5433 |

    @id:slices.22 @core
    Scenario: The slices go with the Endpoints
      Given an Endpoints "db" with:
        """
        subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 5432}]}]
        """
      And the slices of the Service "db" list:
        | address   |
        | 192.0.2.1 |
      When the Endpoints "db" are deleted
      Then within 60 seconds there are no EndpointSlices

    @id:slices.23 @extended
    Scenario: Endpoints that say so are not mirrored
      When an Endpoints "db" is created with:
        """
        metadata: {labels: {endpointslice.kubernetes.io/skip-mirror: "true"}}
        subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 5432}]}]
        """
      Then for 10 seconds there are no EndpointSlices
