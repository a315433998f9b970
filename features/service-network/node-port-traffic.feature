@needs:pods.real
Feature: Traffic to node ports
  A Service of the type NodePort is reached from outside of the cluster: at one port, on the address of every node,
  whether or not one of its Pods runs there.

  Background:
    Given the nodes "n1" and "n2" run Pods
    And these running Pods:
      | name | labels  | spec.nodeName | serves | gate |
      | a    | app=web | n1            | 80     | open |

  @req:PRX-4
  Rule: Ports are translated on the node, and the answer comes from the address that was asked

    @id:node-port-traffic.01 @core @needs:net.outside
    Scenario Outline: nginx on port 80 is reached at port 30656 of every node
      Given a Pod "nginx" with:
        """
        metadata: {labels: {app: nginx}}
        spec:
          containers:
            - name: nginx
              image: nginx:1.29
              ports: [{containerPort: 80}]
        """
      When a Service "nginx" is created with:
        """
        spec:
          type: NodePort
          selector: {app: nginx}
          ports:
            - {port: 80, targetPort: 80, nodePort: 30656}
        """
      Then within 60 seconds connections from a client outside to port 30656 of the node "<node>" are answered

      Examples:
        | node |
        | n1   |
        | n2   |

    @id:node-port-traffic.02 @core @needs:net.outside
    Scenario: Who answers is whom the client has asked
      Given a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      And connections from a client outside to node port of the Service "web" on the node "n2" are answered
      When a client outside connects 4 times to node port of the Service "web" on the node "n2"
      Then the answers come from the address that was asked

    @id:node-port-traffic.03 @core @needs:net.outside
    Scenario: The Pods' own port does not lead to the Service on a node
      When a Service "web" is created with:
        | field     | value    |
        | spec.type | NodePort |
      Then within 30 seconds connections from a client outside to node port of the Service "web" on the node "n1" are answered
      And within 30 seconds connections from a client outside to port 80 of the node "n1" get no answer

  @req:PRX-2
  Rule: A node port on any node's address reaches the Service's Pods

    @id:node-port-traffic.04 @core @needs:net.outside
    Scenario Outline: A node with a Pod and a node without both lead there
      When a Service "web" is created with:
        | field     | value    |
        | spec.type | NodePort |
      Then within 30 seconds connections from a client outside to node port of the Service "web" on the node "<node>" are answered by "a"

      Examples:
        | node |
        | n1   |
        | n2   |

    @id:node-port-traffic.05 @core @needs:net.outside
    Scenario: Connections to one node are spread over the Pods of all
      Given these running Pods:
        | name | labels  | spec.nodeName | serves |
        | b    | app=web | n2            | 80     |
      When a Service "web" is created with:
        | field     | value    |
        | spec.type | NodePort |
      Then within 30 seconds connections from a client outside to node port of the Service "web" on the node "n1" are answered by "a" and "b"

    @id:node-port-traffic.06 @core @needs:net.outside
    Scenario: Datagrams are led there, too
      When a Service "web" is created with:
        """
        spec:
          type: NodePort
          ports:
            - {port: 80, protocol: UDP}
        """
      Then within 30 seconds connections from a client outside to UDP node port of the Service "web" on the node "n2" are answered by "a"

    @id:node-port-traffic.07 @core
    Scenario: A Pod reaches a node port, of its own node and of another
      When a Service "web" is created with:
        | field     | value    |
        | spec.type | NodePort |
      Then within 30 seconds connections from the Pod "a" to node port of the Service "web" on the node "n1" are answered by "a"
      And within 30 seconds connections from the Pod "a" to node port of the Service "web" on the node "n2" are answered by "a"

    @id:node-port-traffic.08 @core @needs:net.outside
    Scenario: Two Services have two node ports
      Given these running Pods:
        | name | labels  | spec.nodeName | serves |
        | b    | app=two | n1            | 80     |
      And a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      When a Service "two" is created with:
        | field             | value    |
        | spec.type         | NodePort |
        | spec.selector.app | two      |
      Then within 30 seconds connections from a client outside to node port of the Service "two" on the node "n2" are answered by "b"
      And within 30 seconds connections from a client outside to node port of the Service "web" on the node "n2" are answered by "a"

    @id:node-port-traffic.09 @core @needs:net.outside
    Scenario: A node port without usable Pods refuses
      Given a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      And connections from a client outside to node port of the Service "web" on the node "n1" are answered
      When the readiness gate of the Pod "a" closes
      Then within 30 seconds connections from a client outside to node port of the Service "web" on the node "n1" are refused

    @id:node-port-traffic.10 @core @needs:net.outside
    Scenario: A Service that is no longer of the type NodePort leaves the node's port
      Given a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      And connections from a client outside to node port of the Service "web" on the node "n1" are answered
      And the node port of the Service "web" is called "first"
      When the Service "web" is updated:
        | field                  | value     |
        | spec.type              | ClusterIP |
        | spec.ports[0].nodePort | (absent)  |
      Then within 30 seconds connections from a client outside to port "first" of the node "n1" get no answer

  @req:PRX-11
  Rule: One Service answers both at its node port and at its ClusterIP

    @id:node-port-traffic.11 @core @needs:net.outside
    Scenario: A NodePort Service has both ways in
      When a Service "web" is created with:
        | field     | value    |
        | spec.type | NodePort |
      Then within 30 seconds connections from a client outside to node port of the Service "web" on the node "n2" are answered by "a"
      And within 30 seconds connections from the node "n2" to port 80 of the Service "web" are answered by "a"
