Feature: ClusterIPs
  A Service is found at an address that no machine has: its ClusterIP, from a range that is kept for Services alone. It
  is allotted when the Service is created, stays for as long as the Service needs it, and is then free for another.

  @req:PRX-6
  Rule: A Service is allotted an address of the cluster's range

    @id:clusterips.01 @core
    Scenario: A new Service gets an address of its own
      When a Service "web" is created
      Then the request is accepted
      And the ClusterIP of the Service "web" lies in the cluster's range

    @id:clusterips.02 @core
    Scenario: The first of a Service's addresses is its ClusterIP
      Given a Service "web"
      And the ClusterIP of the Service "web" is called "first"
      When the Service "web" is read
      Then the answer has:
        | field              | value     |
        | spec.type          | ClusterIP |
        | spec.clusterIPs[0] | (present) |
        | spec.ipFamilies[0] | /IPv[46]/ |
      And the Service "web" has the ClusterIP "first"

    @id:clusterips.03 @core
    Scenario: Many Services have as many addresses
      When 20 Services named "web-01" to "web-20" are created at once
      Then the request is accepted
      And no two Services of the cluster have the same ClusterIP

    @id:clusterips.04 @core
    Scenario Outline: A Service of the type <type> gets an address, too
      When a Service "web" is created with:
        | field     | value  |
        | spec.type | <type> |
      Then the request is accepted
      And the ClusterIP of the Service "web" lies in the cluster's range

      Examples:
        | type         |
        | NodePort     |
        | LoadBalancer |

    @id:clusterips.05 @core
    Scenario: A headless Service has no address
      When a Service "web" is created with:
        | field          | value |
        | spec.clusterIP | None  |
      Then the answer has:
        | field           | value  |
        | spec.clusterIP  | None   |
        | spec.clusterIPs | [None] |

    @id:clusterips.06 @core
    Scenario: A Service that is only another name for something outside has no address
      When a Service "web" is created with:
        | field             | value        |
        | spec.type         | ExternalName |
        | spec.externalName | example.com  |
      Then the answer has:
        | field           | value    |
        | spec.clusterIP  | (absent) |
        | spec.clusterIPs | (absent) |

    @id:clusterips.07 @core
    Scenario: The Kubernetes API itself has an address of the range
      When the Service "kubernetes" in namespace "default" is read
      Then the request is accepted
      And the ClusterIP of the Service "kubernetes" in namespace "default" lies in the cluster's range

    @id:clusterips.08 @extended
    Scenario: An address tells whose it is
      Given a Service "web"
      When the IPAddress of the Service "web" is read
      Then the answer has:
        | field                    | value    |
        | spec.parentRef.resource  | services |
        | spec.parentRef.namespace | home     |
        | spec.parentRef.name      | web      |

  @req:PRX-6
  Rule: An address that is asked for is had if it is free and of the range

    @id:clusterips.09 @core
    Scenario: An address that is free is had by who asks for it
      Given a Service "web"
      And the ClusterIP of the Service "web" is called "address"
      And somebody has deleted the Service "web"
      When a Service "other" that asks for the ClusterIP "address" is created
      Then the request is accepted
      And the Service "other" has the ClusterIP "address"

    @id:clusterips.10 @core
    Scenario: An address that is taken is not had, not in another namespace either
      Given a Namespace "other"
      And a Service "web"
      And the ClusterIP of the Service "web" is called "address"
      When a Service "web" in namespace "other" that asks for the ClusterIP "address" is created
      Then the request is refused as Invalid for:
        | field           | cause   |
        | spec.clusterIPs | invalid |
      And there is no Service "web" in namespace "other"

    @id:clusterips.11 @core
    Scenario Outline: What <what> is not had
      When a Service "web" is created with:
        | field          | value     |
        | spec.clusterIP | <address> |
      Then the request is refused as Invalid
      And there is no Service "web"

      Examples:
        | what                          | address    |
        | is of another range           | 192.0.2.10 |
        | is no address                 | 10.96.0    |
        | is the address of one machine | 127.0.0.1  |

    @id:clusterips.12 @core
    Scenario: Of those who ask for one address at once, one has it
      Given a Service "web"
      And the ClusterIP of the Service "web" is called "address"
      And somebody has deleted the Service "web"
      When the Services "a", "b" and "c", which ask for the ClusterIP "address", are created at once
      Then exactly 1 of the requests are accepted, and the others refused as Invalid
      And there are 1 Services
      And no two Services of the cluster have the same ClusterIP

    @id:clusterips.13 @extended
    Scenario: A dry run takes no address
      Given a Service "web"
      And the ClusterIP of the Service "web" is called "address"
      And somebody has deleted the Service "web"
      And the next request is a dry run
      When a Service "trial" that asks for the ClusterIP "address" is created
      Then the request is accepted
      And the ClusterIP "address" can be had

  @req:PRX-6
  Rule: A Service keeps its address for as long as it has use for one

    @id:clusterips.20 @core
    Scenario: The address of a deleted Service can be had
      Given a Service "web"
      And the ClusterIP of the Service "web" is called "address"
      When the Service "web" is deleted
      Then the ClusterIP "address" can be had

    @id:clusterips.14 @core
    Scenario: A Service that is changed keeps its address
      Given a Service "web"
      And the ClusterIP of the Service "web" is called "address"
      When the Service "web" is updated:
        | field         | value         |
        | spec.selector | {app: db}     |
        | spec.ports    | [{port: 443}] |
      Then the request is accepted
      And the Service "web" has the ClusterIP "address"

    @id:clusterips.15 @core
    Scenario: An update that leaves the address out keeps it
      Given a Service "web"
      And the ClusterIP of the Service "web" is called "address"
      When the Service "web" is updated:
        | field           | value     |
        | spec.selector   | {app: db} |
        | spec.clusterIP  | (absent)  |
        | spec.clusterIPs | (absent)  |
      Then the request is accepted
      And the Service "web" has the ClusterIP "address"

    @id:clusterips.16 @core
    Scenario: An address cannot be exchanged for another
      Given a Service "web"
      And the ClusterIP of the Service "web" is called "address"
      When the Service "web" is updated:
        | field           | value        |
        | spec.clusterIP  | 192.0.2.10   |
        | spec.clusterIPs | [192.0.2.10] |
      Then the request is refused as Invalid
      And the Service "web" has the ClusterIP "address"

    @id:clusterips.17 @core
    Scenario: A Service that becomes a mere name gives its address back
      Given a Service "web"
      And the ClusterIP of the Service "web" is called "address"
      When the Service "web" is updated:
        | field             | value        |
        | spec.type         | ExternalName |
        | spec.externalName | example.com  |
      Then the request is accepted
      And the Service "web" has:
        | field          | value    |
        | spec.clusterIP | (absent) |
      And the ClusterIP "address" can be had

    @id:clusterips.18 @core
    Scenario: A mere name that becomes a Service gets an address
      Given a Service "web" with:
        | field             | value        |
        | spec.type         | ExternalName |
        | spec.externalName | example.com  |
      When the Service "web" is updated:
        | field             | value     |
        | spec.type         | ClusterIP |
        | spec.externalName | (absent)  |
      Then the request is accepted
      And the ClusterIP of the Service "web" lies in the cluster's range
