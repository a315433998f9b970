@needs:pods.real @needs:dns
Feature: Names of Services and their Pods
  A Pod finds a Service by its name: in the own namespace by the name alone, from elsewhere with the namespace after it.
  A headless Service has no address of its own; its name stands for the Pods behind it, and each of a StatefulSet's
  members has a name that it keeps.

  Background:
    Given the nodes "n1" and "n2" run Pods
    And these running Pods:
      | name   | labels  | spec.nodeName | serves | gate |
      | a      | app=web | n1            | 80     | open |
      | b      | app=web | n2            | 80     | open |
      | client | app=ask | n1            | 80     |      |

  @req:NET-11
  Rule: A Pod reaches a Service by its name

    @id:names.01 @core
    Scenario Outline: The name may be short or whole
      When a Service "web" is created
      Then within 60 seconds connections from the Pod "client" to port 80 at "<name>" are answered by "a" and "b"

      Examples:
        | name                       |
        | web                        |
        | web.home                   |
        | web.home.svc               |
        | web.home.svc.cluster.local |

    @id:names.02 @core
    Scenario: The name stands for the ClusterIP
      When a Service "web" is created
      Then within 60 seconds the Pod "client" finds "web" at "(Service web)"

    @id:names.03 @core
    Scenario: From another namespace the name alone is not enough
      Given a Namespace "other"
      And these running Pods:
        | name | namespace | labels  | spec.nodeName | serves |
        | far  | other     | app=ask | n1            | 80     |
      When a Service "web" is created
      Then within 60 seconds the Pod "far" in namespace "other" finds "web.home" at "(Service web)"
      And within 60 seconds the Pod "far" in namespace "other" finds no "web.other.svc.cluster.local."

    @id:names.04 @core
    Scenario: A name that nobody has is not found
      When a Service "web" is created
      Then within 60 seconds the Pod "client" finds no "nobody.home.svc.cluster.local."

    @id:names.05 @core
    Scenario: A name may exist without an address of the kind that is asked for
      When a Service "web" is created with:
        | field               | value       |
        | spec.ipFamilyPolicy | SingleStack |
      Then within 60 seconds the Pod "client" finds "web" at "(Service web)"
      And within 60 seconds the Pod "client" finds "web.home.svc.cluster.local.", but no AAAA record of it

    @id:names.06 @core
    Scenario: The name of a deleted Service is gone
      Given a Service "web"
      And connections from the Pod "client" to port 80 at "web" are answered
      When the Service "web" is deleted
      Then within 60 seconds the Pod "client" finds no "web.home.svc.cluster.local."

  @req:DNS-1
  Rule: The name of a headless Service stands for its Pods

    @id:names.07 @core
    Scenario: All ready Pods are found
      When a Service "all" is created with:
        | field          | value |
        | spec.clusterIP | None  |
      Then within 60 seconds the Pod "client" finds "all" at "(Pod a)" and "(Pod b)"

    @id:names.08 @core
    Scenario: A Pod that turns unready is no longer found
      Given a Service "all" with:
        | field          | value |
        | spec.clusterIP | None  |
      And connections from the Pod "client" to port 80 at "all" are answered
      When the readiness gate of the Pod "b" closes
      Then within 60 seconds the Pod "client" finds "all" at "(Pod a)"

    @id:names.09 @core
    Scenario: A Service that publishes them shows unready Pods, too
      Given the readiness gate of the Pod "b" has closed
      When a Service "all" is created with:
        | field                         | value |
        | spec.clusterIP                | None  |
        | spec.publishNotReadyAddresses | true  |
      Then within 60 seconds the Pod "client" finds "all" at "(Pod a)" and "(Pod b)"

  @req:DNS-2
  Rule: Ports, aliases and addresses have records of their own

    @id:names.10 @core
    Scenario: A named port tells its number
      When a Service "web" is created with:
        """
        spec:
          ports:
            - {name: http, port: 8000, targetPort: 80}
        """
      Then within 60 seconds the Pod "client" finds the SRV record of "_http._tcp.web.home.svc.cluster.local.":
        | value                                         |
        | /\d+ \d+ 8000 web.home.svc.cluster.local[.]/ |

    @id:names.11 @core
    Scenario: A named port of a headless Service tells of each Pod
      When a Service "all" is created with:
        """
        spec:
          clusterIP: None
          ports:
            - {name: http, port: 80}
        """
      Then within 60 seconds the Pod "client" finds the SRV records of "_http._tcp.all.home.svc.cluster.local.":
        | value                                            |
        | /\d+ \d+ 80 .+[.]all.home.svc.cluster.local[.]/ |
        | /\d+ \d+ 80 .+[.]all.home.svc.cluster.local[.]/ |

    @id:names.12 @core
    Scenario: An ExternalName is an alias
      When a Service "far" is created with:
        """
        spec:
          type: ExternalName
          externalName: example.com
          selector: null
          ports: null
        """
      Then within 60 seconds the Pod "client" finds the CNAME record of "far.home.svc.cluster.local.":
        | value        |
        | example.com. |

    @id:names.13 @core
    Scenario: An alias of a Service leads to it
      Given a Service "web"
      When a Service "near" is created with:
        """
        spec:
          type: ExternalName
          externalName: web.home.svc.cluster.local
          selector: null
          ports: null
        """
      Then within 60 seconds the Pod "client" finds the CNAME record of "near.home.svc.cluster.local.":
        | value                       |
        | web.home.svc.cluster.local. |

    @id:names.14 @core
    Scenario: A ClusterIP has a name
      When a Service "web" is created
      Then within 60 seconds the Pod "client" finds the PTR record of "(reverse of web).":
        | value                       |
        | web.home.svc.cluster.local. |

  @req:STS-2
  Rule: Members of a StatefulSet have names under their headless Service, which follow their addresses

    @id:names.15 @core
    Scenario: Each member has its own name
      Given a Service "db" with:
        | field             | value |
        | spec.clusterIP    | None  |
        | spec.selector.app | db    |
      When a StatefulSet "db" is created with:
        | field                             | value                                                                                                                                 |
        | spec.replicas                     | 2                                                                                                                                     |
        | spec.serviceName                  | db                                                                                                                                    |
        | spec.selector.matchLabels.app     | db                                                                                                                                    |
        | spec.template.metadata.labels.app | db                                                                                                                                    |
        | spec.template.spec.containers     | [{name: main, image: "registry.k8s.io/e2e-test-images/agnhost:2.56", args: [netexec, --http-port=80]}] |
      Then within 60 seconds connections from the Pod "client" to port 80 at "db-0.db" are answered by "db-0"
      And within 60 seconds connections from the Pod "client" to port 80 at "db-1.db" are answered by "db-1"

    @id:names.16 @core
    Scenario: Members reach each other
      Given a Service "db" with:
        | field             | value |
        | spec.clusterIP    | None  |
        | spec.selector.app | db    |
      When a StatefulSet "db" is created with:
        | field                             | value                                                                                                                                 |
        | spec.replicas                     | 2                                                                                                                                     |
        | spec.serviceName                  | db                                                                                                                                    |
        | spec.selector.matchLabels.app     | db                                                                                                                                    |
        | spec.template.metadata.labels.app | db                                                                                                                                    |
        | spec.template.spec.containers     | [{name: main, image: "registry.k8s.io/e2e-test-images/agnhost:2.56", args: [netexec, --http-port=80]}] |
      Then within 60 seconds connections from the Pod "db-0" to port 80 at "db-1.db" are answered by "db-1"
      And within 60 seconds connections from the Pod "db-1" to port 80 at "db-0.db" are answered by "db-0"

    @id:names.17 @core
    Scenario: The name follows a member that is replaced
      Given a Service "db" with:
        | field             | value |
        | spec.clusterIP    | None  |
        | spec.selector.app | db    |
      And a StatefulSet "db" with:
        | field                             | value                                                                                                                                 |
        | spec.replicas                     | 2                                                                                                                                     |
        | spec.serviceName                  | db                                                                                                                                    |
        | spec.selector.matchLabels.app     | db                                                                                                                                    |
        | spec.template.metadata.labels.app | db                                                                                                                                    |
        | spec.template.spec.containers     | [{name: main, image: "registry.k8s.io/e2e-test-images/agnhost:2.56", args: [netexec, --http-port=80]}] |
      And connections from the Pod "client" to port 80 at "db-0.db" are answered
      When the Pod "db-0" is deleted
      Then within 60 seconds the Pod "client" finds "db-0.db" at "(Pod db-0)"
      And within 60 seconds connections from the Pod "client" to port 80 at "db-0.db" are answered by "db-0"
