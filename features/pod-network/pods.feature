@needs:pods.real
Feature: Pods reach each other
  Every Pod has an address of its own, and every Pod reaches every other at it, wherever the two run. Nothing is
  translated on the way: the server sees the very address that the client has.

  Background:
    Given the nodes "n1" and "n2" run Pods
    And these running Pods:
      | name   | spec.nodeName | serves |
      | client | n1            | 80     |

  @req:NET-1
  Rule: Every Pod outside the host's network has an address of its own

    @id:pods.01 @core
    Scenario: Pods of one node and of two answer at different addresses
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
        | b    | n1            | 80     |
        | c    | n2            | 80     |
      Then within 30 seconds connections from the Pod "client" to port 80 of the Pod "a" are answered by "a"
      And within 30 seconds connections from the Pod "client" to port 80 of the Pod "b" are answered by "b"
      And within 30 seconds connections from the Pod "client" to port 80 of the Pod "c" are answered by "c"

    @id:pods.02 @extended
    Scenario: The address of a Pod that is gone leads nowhere
      Given these running Pods:
        | name | spec.nodeName | serves |
        | a    | n2            | 80     |
      And "status.podIP" of the Pod "a" is called "its address"
      And connections from the Pod "client" to port 80 at "its address" are answered
      When the Pod "a" is deleted
      Then within 60 seconds connections from the Pod "client" to port 80 at "its address" get no answer

    @id:pods.03 @core
    Scenario: A Pod that takes another's place answers at its own address
      Given these running Pods:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
      And connections from the Pod "client" to port 80 of the Pod "a" are answered
      And somebody has deleted the Pod "a"
      And the Pod "a" has gone
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | b    | n1            | 80     |
      Then within 30 seconds connections from the Pod "client" to port 80 of the Pod "b" are answered by "b"

  @req:NET-2
  Rule: A Pod reaches a Pod by its address, on the same node or another, and is seen under its own

    @id:pods.04 @core
    Scenario Outline: A Pod on <where> sees the client itself
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | <node>        | 80     |
      Then within 30 seconds connections from the Pod "client" to port 80 of the Pod "a" are seen to come from the Pod "client"

      Examples:
        | where         | node |
        | the same node | n1   |
        | another node  | n2   |

    @id:pods.05 @core
    Scenario Outline: Datagrams reach a Pod on <where>
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | <node>        | 80     |
      Then within 30 seconds connections from the Pod "client" to UDP port 80 of the Pod "a" are seen to come from the Pod "client"

      Examples:
        | where         | node |
        | the same node | n1   |
        | another node  | n2   |

    @id:pods.06 @core
    Scenario: A Pod reaches itself by its address
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
      Then within 30 seconds connections from the Pod "a" to port 80 of the Pod "a" are seen to come from the Pod "a"

    @id:pods.07 @core
    Scenario: A port that nobody listens at refuses
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | n2            | 80     |
      Then within 30 seconds connections from the Pod "client" to port 81 of the Pod "a" are refused

    @id:pods.15 @core
    Scenario: A port that nobody listens at refuses datagrams
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | n2            | 80     |
      Then within 30 seconds connections from the Pod "client" to UDP port 81 of the Pod "a" are refused

  @req:NET-10
  Rule: Whatever carries the packets, much data gets through, and the network goes on when Pods come and go

    @id:pods.08 @core
    Scenario Outline: Much data gets through to a Pod on <where>
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | <node>        | 80     |
      Then within 60 seconds 100000 bytes from the Pod "client" get through to port 80 of the Pod "a"

      Examples:
        | where         | node |
        | the same node | n1   |
        | another node  | n2   |

    @id:pods.09 @core
    Scenario: A connection outlives other Pods
      Given these running Pods:
        | name | spec.nodeName | serves |
        | a    | n2            | 80     |
        | b    | n2            | 80     |
      And the Pod "client" holds a connection to port 80 of the Pod "a"
      When the Pod "b" is deleted
      Then within 60 seconds there is no Pod "b"
      And the connection that is held is still answered

  @req:NET-13
  Rule: A node reaches the Pods that it runs

    @id:pods.10 @core
    Scenario: The node's programs reach its Pods
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
      Then within 30 seconds connections from the node "n1" to port 80 of the Pod "a" are answered by "a"

    @id:pods.11 @core
    Scenario: A Pod sees its node under an address of the node
      When these Pods come to run:
        | name | spec.nodeName | serves |
        | a    | n1            | 80     |
      Then within 30 seconds connections from the node "n1" to port 80 of the Pod "a" are seen to come from the node "n1"

  @req:NET-16 @needs:nodes.fault
  Rule: Of a node that is cut off the Pods reach each other, and nobody else

    @id:pods.12 @core
    Scenario: Who is on another node gets no answer
      Given the nodes "far" have joined
      And these running Pods:
        | name | spec.nodeName | serves |
        | a    | far           | 80     |
      And connections from the Pod "client" to port 80 of the Pod "a" are answered
      When the node "far" is cut off
      Then for 5 seconds connections from the Pod "client" to port 80 of the Pod "a" get no answer

    @id:pods.13 @core
    Scenario: Who is on the same node is answered
      Given the nodes "far" have joined
      And these running Pods:
        | name | spec.nodeName | serves |
        | a    | far           | 80     |
        | b    | far           | 80     |
      And connections from the Pod "client" to port 80 of the Pod "a" are answered
      When the node "far" is cut off
      Then within 10 seconds connections from the Pod "b" to port 80 of the Pod "a" are answered by "a"
      And within 10 seconds connections from the Pod "a" to port 80 of the Pod "client" get no answer

    @id:pods.14 @core
    Scenario: Once the node is connected again everybody is answered
      Given the nodes "far" have joined
      And these running Pods:
        | name | spec.nodeName | serves |
        | a    | far           | 80     |
      And the node "far" has been cut off
      And connections from the Pod "client" to port 80 of the Pod "a" get no answer
      When the node "far" is connected again
      Then within 60 seconds connections from the Pod "client" to port 80 of the Pod "a" are answered by "a"
