@needs:pods.real
Feature: The containers of a Pod share one network
  A Pod is to its containers what a machine is to its programs: one address, one set of devices, one set of ports.

  Background:
    Given the nodes "n1" and "n2" run Pods

  @req:NET-3
  Rule: The containers of a Pod share its address and its ports

    @id:containers.01 @core
    Scenario Outline: Each container is reached at its port of the Pod's one address
      Given these running Pods:
        | name   | spec.nodeName | serves |
        | client | n2            | 80     |
      When a Pod "pair" is created with:
        """
        spec:
          containers:
            - name: first
              image: registry.k8s.io/e2e-test-images/agnhost:2.56
              args: [netexec, --http-port=80, --udp-port=80]
            - name: second
              image: registry.k8s.io/e2e-test-images/agnhost:2.56
              args: [netexec, --http-port=8080, --udp-port=8080]
        """
      Then within 60 seconds the Pod "pair" has:
        | field                                | value     |
        | status.conditions[type=Ready].status | "True"    |
        | status.podIP                         | (present) |
      And within 30 seconds connections from the Pod "client" to port <port> of the Pod "pair" are answered by "pair"

      Examples:
        | port |
        | 80   |
        | 8080 |

    @id:containers.02 @core
    Scenario: Two containers cannot listen at one port
      When a Pod "pair" is created with:
        """
        spec:
          containers:
            - name: first
              image: registry.k8s.io/e2e-test-images/agnhost:2.56
              args: [netexec, --http-port=80, --udp-port=80]
            - name: second
              image: registry.k8s.io/e2e-test-images/agnhost:2.56
              args: [netexec, --http-port=80, --udp-port=81]
        """
      Then within 60 seconds an Event "BackOff" tells of the Pod "pair"

    @id:containers.03 @core
    Scenario: Two Pods of one node listen at the same port
      Given these running Pods:
        | name   | spec.nodeName | serves |
        | client | n1            | 80     |
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
      Then within 30 seconds connections from the Pod "client" to port 80 of the Pod "a" are answered by "a"
      And within 30 seconds connections from the Pod "a" to port 80 of the Pod "client" are answered by "client"

  @req:NET-4
  Rule: The containers of a Pod reach each other on localhost, and nobody else does

    @id:containers.04 @core
    Scenario: A Pod's server is found at localhost
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
      Then within 30 seconds connections from the Pod "a" to port 80 at "127.0.0.1" are answered by "a"

    @id:containers.05 @core
    Scenario: localhost is another one in every Pod
      Given these running Pods:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | b    | n1            | 8080   |
      Then within 30 seconds connections from the Pod "b" to port 8080 at "127.0.0.1" are answered by "b"
      And within 30 seconds connections from the Pod "b" to port 80 at "127.0.0.1" are refused

    @id:containers.06 @core @needs:net.capture
    Scenario: What is said on localhost leaves the Pod by no device
      Given these running Pods:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
      When a connection from the Pod "a" to port 80 at "127.0.0.1" is followed
      Then it crosses no device

  @req:NET-15
  Rule: A Pod on the host's network has the node's address and ports

    @id:containers.07 @core
    Scenario: A server on the host's network answers at the node's address
      Given these running Pods:
        | name   | spec.nodeName | serves |
        | client | n2            | 80     |
      When these Pods come to run:
        | name | spec.nodeName | serves | spec.hostNetwork |
        | a    | n1            | 18080  | true             |
      Then within 30 seconds connections from the Pod "client" to port 18080 of the node "n1" are answered

    @id:containers.08 @core
    Scenario: A server on the host's network is found at the node's localhost
      When these Pods come to run:
        | name | spec.nodeName | serves | spec.hostNetwork |
        | a    | n1            | 18080  | true             |
      Then within 30 seconds connections from the node "n1" to port 18080 at "127.0.0.1" are answered
