@needs:pods.real
Feature: Pods and the world outside
  Beyond the cluster nobody knows the way to a Pod. So a Pod is seen there under an address of its node, and the answer
  finds its way back.

  Background:
    Given the nodes "n1" and "n2" run Pods

  @req:NET-12
  Rule: A Pod reaches the outside, seen under an address of its node

    @id:outside.01 @core @needs:net.outside
    Scenario Outline: A machine outside sees the Pod's node
      When these Pods come to run:
        | name   | spec.nodeName | serves |
        | client | <node>        | 80     |
      Then within 30 seconds connections from the Pod "client" to port 80 of a machine outside are seen to come from the node "<node>"

      Examples:
        | node |
        | n1   |
        | n2   |

    @id:outside.02 @core @needs:net.outside
    Scenario: A port that nobody listens at outside refuses
      When these Pods come to run:
        | name   | spec.nodeName | serves |
        | client | n1            | 80     |
      Then within 30 seconds connections from the Pod "client" to port 81 of a machine outside are refused

    @id:outside.03 @extended @needs:net.outside
    Scenario: Much data gets through to the outside
      When these Pods come to run:
        | name   | spec.nodeName | serves |
        | client | n1            | 80     |
      Then within 60 seconds 100000 bytes from the Pod "client" get through to port 80 of a machine outside
