Feature: Validation of Services
  A Service gives a set of Pods one name and one address. What it says of its ports and its address, and what is said
  of the endpoints behind it, must make sense to everybody who sends traffic there.

  @req:API-5
  Rule: The ports and the type of a Service make sense

    @id:validation-services.01 @core
    Scenario Outline: A Service is refused unless <rule>
      When a Service "web" is created with:
        | field   | value   |
        | <field> | <value> |
      Then the request is refused as Invalid for:
        | field   | cause   |
        | <named> | <cause> |
      And there is no Service "web"

      Examples:
        | rule                                     | field                      | value                                        | named                      | cause         |
        | it has a port if it has an address     | spec.ports                 | []                                           | spec.ports                 | required      |
        | ports begin at 1                         | spec.ports                 | [{port: 0, targetPort: 80}]                  | spec.ports[0].port         | invalid       |
        | ports end at 65535                       | spec.ports                 | [{port: 65536, targetPort: 80}]              | spec.ports[0].port         | invalid       |
        | the ports of the Pods do so, too              | spec.ports[0].targetPort   | 65536                                        | spec.ports[0].targetPort   | invalid       |
        | a port's protocol is one of three        | spec.ports[0].protocol     | ICMP                                         | spec.ports[0].protocol     | not supported |
        | of several ports each has a name         | spec.ports                 | [{name: a, port: 80}, {port: 81}]            | spec.ports[1].name         | required      |
        | two ports have two names                 | spec.ports                 | [{name: a, port: 80}, {name: a, port: 81}]   | spec.ports[1].name         | duplicate     |
        | two ports have two numbers               | spec.ports                 | [{name: a, port: 80}, {name: b, port: 80}]   | spec.ports[1]              | duplicate     |
        | only what nodes offer has a port of nodes  | spec.ports                 | [{port: 80, nodePort: 30080}]                | spec.ports[0].nodePort     | forbidden     |
        | it is of one of four types                     | spec.type                  | Internal                                     | spec.type                  | not supported |
        | clients stay by their address or not at all     | spec.sessionAffinity       | Cookie                                       | spec.sessionAffinity       | not supported |
        | traffic from inside may go anywhere or stay   | spec.internalTrafficPolicy | Near                                         | spec.internalTrafficPolicy | not supported |
        | only what is reached from outside has a policy for that | spec.externalTrafficPolicy | Local                             | spec.externalTrafficPolicy | invalid       |
        | an alias says what it stands for         | spec                       | {type: ExternalName}                         | spec.externalName          | required      |
        | an alias stands for a name of DNS        | spec                       | {type: ExternalName, externalName: "a b"}    | spec.externalName          | invalid       |
        | what it selects by are labels                     | spec.selector              | {"no label": x}                              | spec.selector              | invalid       |

    @id:validation-services.02 @core
    Scenario: A Service keeps the address that it was given
      Given a Service "web"
      And the version of the Service "web" is called "before"
      When the Service "web" is updated:
        | field           | value  |
        | spec.clusterIP  | None   |
        | spec.clusterIPs | [None] |
      Then the request is refused as Invalid for:
        | field              | cause   |
        | spec.clusterIPs[0] | invalid |
      And the Service "web" is still at version "before"

  @req:API-5
  Rule: Endpoints are addresses that traffic can be sent to

    @id:validation-services.03 @core
    Scenario Outline: Endpoints are refused unless <rule>
      When a <kind> "web" is created with:
        """
        <given>
        """
      Then the request is refused as Invalid for:
        | field   | cause   |
        | <named> | <cause> |
      And there is no <kind> "web"

      Examples:
        | rule                                       | kind          | given                                                                                  | named                      | cause         |
        | an endpoint has an address                 | Endpoints     | {subsets: [{addresses: [{ip: 10.1.0}], ports: [{port: 80}]}]}                          | subsets[0].addresses[0].ip | invalid       |
        | the address is no loopback    | Endpoints     | {subsets: [{addresses: [{ip: 127.0.0.1}], ports: [{port: 80}]}]}                       | subsets[0].addresses[0].ip | invalid       |
        | of several ports each has a name           | Endpoints     | {subsets: [{addresses: [{ip: 10.1.0.1}], ports: [{port: 80, name: a}, {port: 81}]}]}   | subsets[0].ports[1].name   | required      |
        | the addresses of a slice are of one family | EndpointSlice | {addressType: IPv4, endpoints: [{addresses: ["fd00::1"]}]}                             | endpoints[0].addresses     | invalid       |
        | the family is one of three                   | EndpointSlice | {addressType: IPv5, endpoints: []}                                                     | addressType                | not supported |
        | an endpoint of a slice has an address, too | EndpointSlice | {addressType: IPv4, endpoints: [{addresses: []}]}                                      | endpoints[0].addresses     | required      |
        | two ports of a slice have two names        | EndpointSlice | {addressType: IPv4, endpoints: [], ports: [{name: a, port: 80}, {name: a, port: 81}]}  | ports[1].name              | duplicate     |

    @id:validation-services.04 @core
    Scenario: A slice keeps the family of its addresses
      Given an EndpointSlice "web" with:
        """
        {addressType: IPv4, endpoints: []}
        """
      When the EndpointSlice "web" is updated:
        | field       | value |
        | addressType | IPv6  |
      Then the request is refused as Invalid for:
        | field       | cause   |
        | addressType | invalid |
      And the EndpointSlice "web" has:
        | field       | value |
        | addressType | IPv4  |
