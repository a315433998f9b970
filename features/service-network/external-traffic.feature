@needs:pods.real
Feature: Traffic to external addresses
  A Service may have addresses that belong to no node: those that somebody routes to the nodes, and the address of a
  load balancer. Every node takes what comes for such an address, and leads it to the Service's Pods.

  Background:
    Given the nodes "n1" and "n2" run Pods
    And these running Pods:
      | name   | labels  | spec.nodeName | serves |
      | a      | app=web | n1            | 80     |
      | client | app=ask | n2            | 80     |

  @req:PRX-20
  Rule: An external address of a Service leads to its Pods

    @id:external-traffic.01 @core
    Scenario: From a Pod
      When a Service "web" is created with:
        | field            | value          |
        | spec.externalIPs | ["192.0.2.10"] |
      Then within 30 seconds connections from the Pod "client" to port 80 at "192.0.2.10" are answered by "a"

    @id:external-traffic.02 @extended @needs:net.outside
    Scenario: From outside, where it is routed to a node
      When a Service "web" is created with:
        | field            | value          |
        | spec.externalIPs | ["192.0.2.10"] |
      Then within 30 seconds connections from a client outside to port 80 at "192.0.2.10" are answered by "a"

  @req:PRX-21 @needs:lb.provision
  Rule: A load balancer's address leads to the Service's Pods, from outside and from inside

    @id:external-traffic.03 @core @needs:net.outside
    Scenario: A client outside reaches it
      When a Service "web" is created with:
        | field     | value        |
        | spec.type | LoadBalancer |
      Then within 60 seconds connections from a client outside to load balancer's port 80 of the Service "web" are answered by "a"

    @id:external-traffic.04 @core
    Scenario: A Pod reaches it
      When a Service "web" is created with:
        | field     | value        |
        | spec.type | LoadBalancer |
      Then within 60 seconds connections from the Pod "client" to load balancer's port 80 of the Service "web" are answered by "a"

    @id:external-traffic.05 @core
    Scenario: An address that is given back leads nowhere
      Given a Service "web" with:
        | field     | value        |
        | spec.type | LoadBalancer |
      And the load balancer's address of the Service "web" is called "first"
      And connections from the Pod "client" to port 80 at "first" are answered
      When the Service "web" is updated:
        | field     | value     |
        | spec.type | ClusterIP |
      Then within 60 seconds connections from the Pod "client" to port 80 at "first" get no answer

  @req:PRX-22 @needs:lb.provision
  Rule: Source ranges let only those clients through a load balancer's address

    @id:external-traffic.06 @core @needs:net.outside
    Scenario: A client within the ranges is answered, another is not
      When a Service "web" whose load balancer lets only the client outside "second" through is created
      Then within 60 seconds connections from the client outside "second" to load balancer's port 80 of the Service "web" are answered by "a"
      And within 60 seconds connections from a client outside to load balancer's port 80 of the Service "web" time out

    @id:external-traffic.07 @extended @needs:net.outside
    Scenario: The ranges do not concern the ClusterIP
      When a Service "web" whose load balancer lets only the client outside "second" through is created
      Then within 60 seconds connections from the Pod "client" to port 80 of the Service "web" are answered by "a"
