@needs:pods.real @needs:net.state @needs:net.fault
Feature: Rules that are put right
  What a node's kernel holds may be changed by somebody, and may be out of date when kube-proxy starts. kube-proxy looks
  at all of it when it starts and from time to time, and puts right what differs.

  Background:
    Given the nodes "n1" and "n2" run Pods
    And these running Pods:
      | name | labels  | spec.nodeName | serves | gate |
      | a    | app=web | n1            | 80     | open |
      | b    | app=web | n2            | 80     | open |

  @req:PRX-16
  Rule: Rules that somebody removed, or that changed while kube-proxy was down, are put right

    @id:reconciliation.01 @core
    Scenario: A virtual server that somebody removes comes back
      Given a Service "web"
      And connections from the node "n1" to port 80 of the Service "web" are answered
      When somebody removes from the virtual servers of the node "n1":
        | protocol | address       | port |
        | TCP      | (Service web) | 80   |
      Then within 60 seconds the real servers of the node "n1" where address is (Service web) are only:
        | server  |
        | (Pod a) |
        | (Pod b) |

    @id:reconciliation.02 @core
    Scenario: A real server that somebody removes comes back
      Given a Service "web"
      And connections from the node "n1" to port 80 of the Service "web" are answered
      When somebody removes from the real servers of the node "n1":
        | protocol | address       | port | server  | server port |
        | TCP      | (Service web) | 80   | (Pod a) | 80          |
      Then within 60 seconds the real servers of the node "n1" where address is (Service web) are only:
        | server  |
        | (Pod a) |
        | (Pod b) |

    @id:reconciliation.03 @core
    Scenario: An address that somebody removes comes back
      Given a Service "web"
      And connections from the node "n1" to port 80 of the Service "web" are answered
      When somebody removes from the addresses of the node "n1":
        | device     | address       | prefix |
        | kube-ipvs0 | (Service web) | 32     |
      Then within 60 seconds the addresses of the node "n1" include:
        | device     | address       |
        | kube-ipvs0 | (Service web) |

    @id:reconciliation.04 @core @needs:net.outside
    Scenario: Masquerading that somebody removes comes back
      Given a Service "web" with:
        | field     | value    |
        | spec.type | NodePort |
      And connections from a client outside to node port of the Service "web" on the node "n1" are answered
      When somebody removes from the rules of the node "n1":
        | table | chain       | target           |
        | nat   | POSTROUTING | KUBE-POSTROUTING |
      Then within 60 seconds the rules of the node "n1" include:
        | table | chain       | target           |
        | nat   | POSTROUTING | KUBE-POSTROUTING |
      And within 60 seconds connections from a client outside to node port of the Service "web" on the node "n1" are answered by "a" and "b"

    @id:reconciliation.05 @core
    Scenario: Connections go on while kube-proxy is down
      Given a Service "web"
      And connections from the node "n1" to port 80 of the Service "web" are answered
      When kube-proxy of the node "n1" stops
      Then for 10 seconds connections from the node "n1" to port 80 of the Service "web" are answered by "a" and "b"

    @id:reconciliation.06 @core
    Scenario: A Service that came while kube-proxy was down is served when it starts
      Given kube-proxy of the node "n1" has stopped
      And a Service "web"
      And the Endpoints "web" list 2 ready Pods
      When kube-proxy of the node "n1" starts again
      Then within 60 seconds connections from the node "n1" to port 80 of the Service "web" are answered by "a" and "b"

    @id:reconciliation.07 @core
    Scenario: A Service that went while kube-proxy was down is no longer served when it starts
      Given a Service "web"
      And connections from the node "n1" to port 80 of the Service "web" are answered
      And the ClusterIP of the Service "web" is called "first"
      And kube-proxy of the node "n1" has stopped
      And somebody has deleted the Service "web"
      When kube-proxy of the node "n1" starts again
      Then within 60 seconds the virtual servers of the node "n1" include none of:
        | address |
        | "first" |
      And within 60 seconds the addresses of the node "n1" include none of:
        | address |
        | "first" |

    @id:reconciliation.08 @core
    Scenario: A Pod that left while kube-proxy was down gets nothing when it starts
      Given a Service "web"
      And connections from the node "n1" to port 80 of the Service "web" are answered
      And kube-proxy of the node "n1" has stopped
      And the readiness gate of the Pod "b" has closed
      When kube-proxy of the node "n1" starts again
      Then within 60 seconds connections from the node "n1" to port 80 of the Service "web" are answered by "a"
