@needs:pods.real
Feature: Traffic to a ClusterIP
  A Service has one address, and its Pods come and go behind it. Whoever connects to the address, from a Pod or from a
  node, is answered by one of the Pods that the Service selects and that are ready, wherever they run.

  Background:
    Given the nodes "n1" and "n2" run Pods
    And these running Pods:
      | name   | labels  | spec.nodeName | serves | gate |
      | a      | app=web | n1            | 80     | open |
      | b      | app=web | n2            | 80     | open |
      | client | app=ask | n1            | 80     |      |

  @req:PRX-3
  Rule: Inside the cluster a ClusterIP and its port reach the Service's Pods

    @id:clusterip-traffic.01 @core
    Scenario: A Pod reaches the Pods of a Service, on its own node and on another
      When a Service "web" is created
      Then within 30 seconds connections from the Pod "client" to port 80 of the Service "web" are answered by "a" and "b"

    @id:clusterip-traffic.02 @core
    Scenario: A node reaches the Pods of a Service, on itself and on another
      When a Service "web" is created
      Then within 30 seconds connections from the node "n1" to port 80 of the Service "web" are answered by "a" and "b"

    @id:clusterip-traffic.03 @core
    Scenario: The port of the Service is not that of its Pods
      When a Service "web" is created with:
        """
        spec:
          ports:
            - {port: 8000, targetPort: 80}
        """
      Then within 30 seconds connections from the Pod "client" to port 8000 of the Service "web" are answered by "a" and "b"

    @id:clusterip-traffic.04 @core
    Scenario: Each port of a Service leads to its own port of the Pods
      Given a Pod "odd" with:
        """
        metadata: {labels: {app: odd}}
        spec:
          containers:
            - name: first
              image: registry.k8s.io/e2e-test-images/agnhost:2.56
              args: [netexec, --http-port=81, --udp-port=81]
        """
      When a Service "both" is created with:
        """
        spec:
          selector: {app: odd}
          ports:
            - {name: open, port: 80, targetPort: 81}
            - {name: shut, port: 90, targetPort: 91}
        """
      Then within 30 seconds connections from the Pod "client" to port 80 of the Service "both" are answered by "odd"
      And within 30 seconds connections from the Pod "client" to port 90 of the Service "both" are refused

    @id:clusterip-traffic.05 @core
    Scenario: Datagrams reach the Pods of a Service
      When a Service "web" is created with:
        """
        spec:
          ports:
            - {port: 80, protocol: UDP}
        """
      Then within 30 seconds connections from the Pod "client" to UDP port 80 of the Service "web" are answered by "a" and "b"

    @id:clusterip-traffic.06 @core
    Scenario: A Service that is deleted is no longer reached
      Given a Service "web"
      And connections from the Pod "client" to port 80 of the Service "web" are answered
      And the ClusterIP of the Service "web" is called "first"
      When the Service "web" is deleted
      Then within 30 seconds connections from the Pod "client" to port 80 at "first" get no answer

  @req:SEL-2
  Rule: A Service sends traffic to the Pods that its selector matches, and to no other

    @id:clusterip-traffic.07 @core
    Scenario: A Pod that loses the label is left out
      Given a Service "web"
      And connections from the Pod "client" to port 80 of the Service "web" are answered
      When the Pod "b" is updated:
        | field               | value |
        | metadata.labels.app | other |
      Then within 30 seconds connections from the Pod "client" to port 80 of the Service "web" are answered by "a"

    @id:clusterip-traffic.08 @core
    Scenario: A Pod that gains the label is taken in
      Given a Service "web"
      When the Pod "client" is updated:
        | field               | value |
        | metadata.labels.app | web   |
      Then within 30 seconds connections from the node "n1" to port 80 of the Service "web" are answered by "a", "b" and "client"

    @id:clusterip-traffic.09 @core
    Scenario: A Service whose selector changes sends its traffic elsewhere
      Given a Service "web"
      When the Service "web" is updated:
        | field             | value |
        | spec.selector.app | ask   |
      Then within 30 seconds connections from the node "n2" to port 80 of the Service "web" are answered by "client"

    @id:clusterip-traffic.10 @core
    Scenario: Two Services of one port number lead to their own Pods
      Given a Service "web"
      When a Service "ask" is created with:
        | field             | value |
        | spec.selector.app | ask   |
      Then within 30 seconds connections from the node "n1" to port 80 of the Service "ask" are answered by "client"
      And within 30 seconds connections from the node "n1" to port 80 of the Service "web" are answered by "a" and "b"

  @req:SEL-3
  Rule: Connections to a Service are spread over all its ready Pods

    @id:clusterip-traffic.11 @core
    Scenario: Each of three Pods gets a share
      Given these running Pods:
        | name | labels  | spec.nodeName | serves |
        | c    | app=web | n1            | 80     |
      When a Service "web" is created
      Then within 30 seconds connections from the Pod "client" to port 80 of the Service "web" are answered by "a", "b" and "c"

    @id:clusterip-traffic.12 @core
    Scenario: A Pod that is not ready gets none
      Given a Service "web"
      And connections from the Pod "client" to port 80 of the Service "web" are answered
      When the readiness gate of the Pod "b" closes
      Then within 30 seconds connections from the Pod "client" to port 80 of the Service "web" are answered by "a"

    @id:clusterip-traffic.13 @core
    Scenario: A Pod that is ready again gets its share again
      Given the readiness gate of the Pod "b" has closed
      And a Service "web"
      And connections from the Pod "client" to port 80 of the Service "web" are answered
      When the readiness gate of the Pod "b" opens
      Then within 30 seconds connections from the Pod "client" to port 80 of the Service "web" are answered by "a" and "b"

  @req:EP-5
  Rule: Every node balances over the Service's current Pods

    @id:clusterip-traffic.14 @core
    Scenario Outline: A client on any node is answered by all Pods
      Given these running Pods:
        | name | labels   | spec.nodeName | serves |
        | here | app=here | <node>        | 80     |
      When a Service "web" is created
      Then within 30 seconds connections from the Pod "here" to port 80 of the Service "web" are answered by "a" and "b"
      And within 30 seconds connections from the node "<node>" to port 80 of the Service "web" are answered by "a" and "b"

      Examples:
        | node |
        | n1   |
        | n2   |

  @req:PRX-8
  Rule: A Pod that has left gets no new connection, a new one gets its share

    @id:clusterip-traffic.15 @core
    Scenario: A Pod that is deleted gets no new connection
      Given a Service "web"
      And connections from the Pod "client" to port 80 of the Service "web" are answered
      When the Pod "b" is deleted
      Then within 60 seconds connections from the Pod "client" to port 80 of the Service "web" are answered by "a"

    @id:clusterip-traffic.16 @core
    Scenario: A Pod that is created gets its share
      Given a Service "web"
      And connections from the Pod "client" to port 80 of the Service "web" are answered
      When a Pod "c" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          containers:
            - name: main
              image: registry.k8s.io/e2e-test-images/agnhost:2.56
              args: [netexec, --http-port=80, --udp-port=80]
        """
      Then within 60 seconds connections from the Pod "client" to port 80 of the Service "web" are answered by "a", "b" and "c"

    @id:clusterip-traffic.17 @core
    Scenario: A connection that is open outlives the Pod's readiness
      Given the readiness gate of the Pod "a" has closed
      And a Service "web"
      And connections from the Pod "client" to port 80 of the Service "web" are answered
      And the Pod "client" holds a connection to port 80 of the Service "web"
      When the readiness gate of the Pod "b" closes
      Then within 30 seconds connections from the Pod "client" to port 80 of the Service "web" get no answer
      And the connection that is held is still answered

    @id:clusterip-traffic.18 @core
    Scenario: Datagrams of one client find the Pod that is left
      Given a Service "web" with:
        """
        spec:
          ports:
            - {port: 80, protocol: UDP}
        """
      And connections from the Pod "client" to UDP port 80 of the Service "web" are answered
      When the Pod "b" is deleted
      Then within 60 seconds connections from the Pod "client" to UDP port 80 of the Service "web" are answered by "a"

  @req:PRX-17
  Rule: While no Pod is ready, those that serve on their way out get the traffic

    @id:clusterip-traffic.19 @core
    Scenario: The last Pod, on its way out, is still reached
      Given these running Pods:
        | name | labels   | spec.nodeName | serves | stops  |
        | last | app=last | n2            | 80     | slowly |
      And a Service "last" with:
        | field             | value |
        | spec.selector.app | last  |
      And connections from the Pod "client" to port 80 of the Service "last" are answered
      When the Pod "last" is deleted
      Then for 20 seconds connections from the Pod "client" to port 80 of the Service "last" are answered by "last"

    @id:clusterip-traffic.20 @core
    Scenario: A Pod on its way out gets nothing new while another is ready
      Given these running Pods:
        | name | labels  | spec.nodeName | serves | stops  |
        | last | app=web | n2            | 80     | slowly |
      And a Service "web"
      And connections from the Pod "client" to port 80 of the Service "web" are answered
      When the Pod "last" is deleted
      Then within 20 seconds connections from the Pod "client" to port 80 of the Service "web" are answered by "a" and "b"

  @req:PRX-10
  Rule: A Service without usable Pods refuses connections

    @id:clusterip-traffic.21 @core
    Scenario: A Service that selects nothing refuses
      When a Service "none" is created with:
        | field             | value |
        | spec.selector.app | none  |
      Then within 30 seconds connections from the Pod "client" to port 80 of the Service "none" are refused
      And within 30 seconds connections from the node "n1" to port 80 of the Service "none" are refused

    @id:clusterip-traffic.24 @core
    Scenario: A Service that selects nothing refuses datagrams
      When a Service "none" is created with:
        """
        spec:
          selector: {app: none}
          ports:
            - {port: 80, protocol: UDP}
        """
      Then within 30 seconds connections from the Pod "client" to UDP port 80 of the Service "none" are refused

    @id:clusterip-traffic.22 @core
    Scenario: A Service whose last Pod turns unready refuses
      Given the readiness gate of the Pod "a" has closed
      And a Service "web"
      And connections from the Pod "client" to port 80 of the Service "web" are answered
      When the readiness gate of the Pod "b" closes
      Then within 30 seconds connections from the Pod "client" to port 80 of the Service "web" are refused

  @req:PRX-13
  Rule: A Pod reaches itself through its own Service

    @id:clusterip-traffic.23 @core
    Scenario: The only Pod of a Service is answered by itself
      When a Service "ask" is created with:
        | field             | value |
        | spec.selector.app | ask   |
      Then within 30 seconds connections from the Pod "client" to port 80 of the Service "ask" are answered by "client"
