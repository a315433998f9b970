Feature: Node ports
  A Service of the type NodePort is reached from outside at one port of every node. The port is allotted from a range
  that is kept for that, and as every node opens it, no other Service of the cluster can have it.

  @req:SVC-2
  Rule: A NodePort Service is allotted a port of the node-port range

    @id:nodeports.01 @core
    Scenario: A new NodePort Service gets a port, beside its address
      When a Service "web" is created with:
        | field     | value    |
        | spec.type | NodePort |
      Then the request is accepted
      And the node port of the Service "web" lies in the cluster's range
      And the ClusterIP of the Service "web" lies in the cluster's range

    @id:nodeports.02 @core
    Scenario: Many Services have as many ports
      When 20 Services named "web-01" to "web-20" are created at once with:
        | field     | value    |
        | spec.type | NodePort |
      Then the request is accepted
      And no two Services of the cluster have the same node port

    @id:nodeports.03 @core
    Scenario: Each port of a Service gets a node port of its own
      When a Service "web" is created with:
        """
        spec:
          type: NodePort
          ports: [{name: http, port: 80}, {name: https, port: 443}]
        """
      Then the Service "web" has 2 node ports

    @id:nodeports.04 @extended
    Scenario: A port that speaks two protocols has one node port for both
      When a Service "dns" is created with:
        """
        spec:
          type: NodePort
          ports: [{name: tcp, port: 53}, {name: udp, port: 53, protocol: UDP}]
        """
      Then the Service "dns" has 1 node port

    @id:nodeports.05 @core
    Scenario: A Service that is reached from inside only has none
      When a Service "web" is created
      Then the answer has:
        | field                  | value     |
        | spec.type              | ClusterIP |
        | spec.ports[0].nodePort | (absent)  |

    @id:nodeports.06 @core
    Scenario: A Service with a load balancer gets a port, too
      When a Service "web" is created with:
        | field     | value        |
        | spec.type | LoadBalancer |
      Then the request is accepted
      And the node port of the Service "web" lies in the cluster's range

    @id:nodeports.07 @core
    Scenario: A Service with a load balancer that needs no node ports gets none
      When a Service "web" is created with:
        | field                              | value        |
        | spec.type                          | LoadBalancer |
        | spec.allocateLoadBalancerNodePorts | false        |
      Then the answer has:
        | field                  | value    |
        | spec.ports[0].nodePort | (absent) |

    @id:nodeports.08 @extended
    Scenario: A load balancer that must know which nodes have Pods gets a port to ask them at
      When a Service "web" is created with:
        | field                      | value        |
        | spec.type                  | LoadBalancer |
        | spec.externalTrafficPolicy | Local        |
      Then the answer has:
        | field                    | value     |
        | spec.healthCheckNodePort | (present) |

  @req:SVC-2
  Rule: A port that is asked for is had if it is free and of the range

    @id:nodeports.09 @core
    Scenario: A port that is free is had by who asks for it
      Given a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      And the node port of the Service "web" is called "port"
      And somebody has deleted the Service "web"
      When a Service "other" that asks for the node port "port" is created
      Then the request is accepted
      And the Service "other" has the node port "port"

    @id:nodeports.10 @core
    Scenario: A port that is taken is not had, not in another namespace either
      Given a Namespace "other"
      And a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      And the node port of the Service "web" is called "port"
      When a Service "web" in namespace "other" that asks for the node port "port" is created
      Then the request is refused as Invalid for:
        | field                  | cause   |
        | spec.ports[0].nodePort | invalid |
      And there is no Service "web" in namespace "other"

    @id:nodeports.11 @core
    Scenario Outline: A port <side> the range is not had
      Given the port <side> the node-port range is called "outside"
      When a Service "web" that asks for the node port "outside" is created
      Then the request is refused as Invalid for:
        | field                  | cause   |
        | spec.ports[0].nodePort | invalid |
      And there is no Service "web"

      Examples:
        | side  |
        | below |
        | above |

    @id:nodeports.12 @core
    Scenario: Of those who ask for one port at once, one has it
      Given a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      And the node port of the Service "web" is called "port"
      And somebody has deleted the Service "web"
      When the Services "a", "b" and "c", which ask for the node port "port", are created at once
      Then exactly 1 of the requests are accepted, and the others refused as Invalid
      And there are 1 Services

  @req:SVC-2
  Rule: A Service keeps its node ports for as long as it has use for them

    @id:nodeports.20 @core
    Scenario: The port of a deleted Service can be had
      Given a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      And the node port of the Service "web" is called "port"
      When the Service "web" is deleted
      Then the node port "port" can be had

    @id:nodeports.14 @core
    Scenario: An update that leaves the port out keeps it
      Given a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      And the node port of the Service "web" is called "port"
      When the Service "web" is updated:
        | field      | value                          |
        | spec.ports | [{port: 80, targetPort: 8080}] |
      Then the request is accepted
      And the Service "web" has the node port "port"

    @id:nodeports.15 @core
    Scenario: A Service can exchange its port for another that is free
      Given these Services:
        | name | spec.type |
        | a    | NodePort  |
        | b    | NodePort  |
      And the node port of the Service "a" is called "that of a"
      And somebody has deleted the Service "a"
      When the Service "b" is updated to ask for the node port "that of a"
      Then the request is accepted
      And the Service "b" has the node port "that of a"

    @id:nodeports.16 @core
    Scenario: A Service cannot exchange its port for one that is taken
      Given these Services:
        | name | spec.type |
        | a    | NodePort  |
        | b    | NodePort  |
      And the node port of the Service "a" is called "that of a"
      And the node port of the Service "b" is called "that of b"
      When the Service "b" is updated to ask for the node port "that of a"
      Then the request is refused as Invalid for:
        | field                  | cause   |
        | spec.ports[0].nodePort | invalid |
      And the Service "b" has the node port "that of b"

    @id:nodeports.17 @core
    Scenario: A Service that is reached from outside no more gives its port back
      Given a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      And the node port of the Service "web" is called "port"
      When the Service "web" is updated:
        | field     | value     |
        | spec.type | ClusterIP |
      Then the request is accepted
      And the Service "web" has:
        | field                  | value    |
        | spec.ports[0].nodePort | (absent) |
      And the node port "port" can be had

    @id:nodeports.18 @core
    Scenario: A Service that comes to be reached from outside gets a port
      Given a Service "web"
      When the Service "web" is updated:
        | field     | value    |
        | spec.type | NodePort |
      Then the request is accepted
      And the node port of the Service "web" lies in the cluster's range

    @id:nodeports.19 @core
    Scenario: The node port of a port that goes is free again
      Given a Service "web" with:
        """
        spec:
          type: NodePort
          ports: [{name: http, port: 80}, {name: https, port: 443}]
        """
      And the node port of the Service "web" is called "that of http"
      When the Service "web" is updated:
        | field         | value    |
        | spec.ports[0] | (absent) |
      Then the request is accepted
      And the Service "web" has another node port than "that of http"
      And the node port "that of http" can be had
