@needs:pods.real @needs:net.state
Feature: Virtual servers
  In IPVS mode kube-proxy makes each of a Service's addresses a virtual server in the kernel of every node, with the
  Service's Pods as its real servers. The kernel balances, and translates addresses and ports.

  Background:
    Given the nodes "n1" and "n2" run Pods
    And these running Pods:
      | name | labels  | spec.nodeName | serves | gate |
      | a    | app=web | n1            | 80     | open |
      | b    | app=web | n2            | 80     | open |

  @req:PRX-1
  Rule: On every node the virtual servers and real servers are the Services and their ready Pods

    @id:virtual-servers.01 @core
    Scenario Outline: Each node has a virtual server for a ClusterIP, with all Pods
      When a Service "web" is created with:
        """
        spec:
          ports:
            - {port: 8000, targetPort: 80}
        """
      Then within 30 seconds the real servers of the node "<node>" where address is (Service web) are only:
        | protocol | port | server  | server port | weight |
        | TCP      | 8000 | (Pod a) | 80          | 1      |
        | TCP      | 8000 | (Pod b) | 80          | 1      |

      Examples:
        | node |
        | n1   |
        | n2   |

    @id:virtual-servers.02 @core
    Scenario: A Pod that turns unready leaves
      Given a Service "web"
      And the Endpoints "web" list 2 ready Pods
      When the readiness gate of the Pod "b" closes
      Then within 30 seconds the real servers of the node "n1" where address is (Service web) are only:
        | server  |
        | (Pod a) |

    @id:virtual-servers.03 @core
    Scenario: A Pod that is created enters
      Given a Service "web"
      When a Pod "c" is created with:
        | field               | value |
        | metadata.labels.app | web   |
      Then within 30 seconds the real servers of the node "n2" where address is (Service web) are only:
        | server  |
        | (Pod a) |
        | (Pod b) |
        | (Pod c) |

    @id:virtual-servers.04 @core
    Scenario: A Service without Pods is a virtual server without real servers
      When a Service "none" is created with:
        | field             | value |
        | spec.selector.app | none  |
      Then within 30 seconds the virtual servers of the node "n1" where address is (Service none) are only:
        | protocol | port |
        | TCP      | 80   |
      And within 30 seconds the real servers of the node "n1" include none of:
        | address        |
        | (Service none) |

    @id:virtual-servers.05 @core
    Scenario: Each port and protocol is a virtual server
      When a Service "web" is created with:
        """
        spec:
          ports:
            - {name: a, port: 80}
            - {name: b, port: 80, protocol: UDP}
            - {name: c, port: 90}
        """
      Then within 30 seconds the virtual servers of the node "n1" where address is (Service web) are only:
        | protocol | port |
        | TCP      | 80   |
        | UDP      | 80   |
        | TCP      | 90   |

    @id:virtual-servers.06 @core
    Scenario: The virtual server of a deleted Service goes
      Given a Service "web"
      And connections from the node "n1" to port 80 of the Service "web" are answered
      And the ClusterIP of the Service "web" is called "first"
      When the Service "web" is deleted
      Then within 30 seconds the virtual servers of the node "n1" include none of:
        | address |
        | "first" |

    @id:virtual-servers.07 @core
    Scenario: An external address is a virtual server
      When a Service "web" is created with:
        | field            | value          |
        | spec.externalIPs | ["192.0.2.10"] |
      Then within 30 seconds the real servers of the node "n1" where address is 192.0.2.10 are only:
        | protocol | port | server  | server port |
        | TCP      | 80   | (Pod a) | 80          |
        | TCP      | 80   | (Pod b) | 80          |

    @id:virtual-servers.08 @core
    Scenario: A Pod that leaves with a connection open stays, at weight 0
      Given the readiness gate of the Pod "a" has closed
      And a Service "web"
      And the node "n1" holds a connection to port 80 of the Service "web"
      When the readiness gate of the Pod "b" closes
      Then within 30 seconds the real servers of the node "n1" where address is (Service web) are only:
        | server  | weight |
        | (Pod b) | 0      |
      And the connection that is held is still answered

    @id:virtual-servers.09 @core @needs:time.skip
    Scenario: It goes when its connections are over
      Given the readiness gate of the Pod "a" has closed
      And a Service "web"
      And the node "n1" holds a connection to port 80 of the Service "web"
      And the readiness gate of the Pod "b" has closed
      When the connection that is held is closed
      Then within 20 minutes the real servers of the node "n1" include none of:
        | address       |
        | (Service web) |

  @req:PRX-5
  Rule: A node port on each of the node's addresses is a virtual server

    @id:virtual-servers.10 @core
    Scenario Outline: The node's own address, and that of its bridge to the Pods
      When a Service "web" is created with:
        | field     | value    |
        | spec.type | NodePort |
      Then within 60 seconds the real servers of the node "n1" where address is <address> are only:
        | protocol | port               | server  | server port |
        | TCP      | (node port of web) | (Pod a) | 80          |
        | TCP      | (node port of web) | (Pod b) | 80          |

      Examples:
        | address         |
        | (node n1)       |
        | (gateway of n1) |

  @req:PRX-14
  Rule: Real servers are in NAT (masquerade) mode

    @id:virtual-servers.11 @core
    Scenario: All of a Service's real servers
      When a Service "web" is created
      Then within 30 seconds the real servers of the node "n1" where address is (Service web) are only:
        | server  | mode |
        | (Pod a) | masq |
        | (Pod b) | masq |

  @req:PRX-15
  Rule: The configured scheduler is used, round robin by default

    @id:virtual-servers.12 @core
    Scenario: Without a configuration it is round robin
      When a Service "web" is created
      Then within 30 seconds the virtual servers of the node "n1" include:
        | address       | port | scheduler |
        | (Service web) | 80   | rr        |

    @id:virtual-servers.13 @extended
    Scenario Outline: A configured scheduler is that of every virtual server
      Given kube-proxy's scheduler is "<scheduler>"
      When a Service "next" is created
      Then within 30 seconds the virtual servers of the node "n1" include:
        | address        | port | scheduler   |
        | (Service next) | 80   | <scheduler> |

      Examples:
        | scheduler |
        | lc        |
        | sh        |

  @req:PRX-26
  Rule: Session affinity is the persistence of the virtual server, with the Service's timeout

    @id:virtual-servers.14 @core
    Scenario Outline: The timeout is the Service's
      When a Service "web" is created with:
        | field                                              | value     |
        | spec.sessionAffinity                               | ClientIP  |
        | spec.sessionAffinityConfig.clientIP.timeoutSeconds | <timeout> |
      Then within 30 seconds the virtual servers of the node "n1" include:
        | address       | port | timeout   |
        | (Service web) | 80   | <timeout> |

      Examples:
        | timeout |
        | 10      |
        | 86400   |

    @id:virtual-servers.15 @core
    Scenario: A Service that gives affinity up loses it
      Given a Service "web" with:
        | field                | value    |
        | spec.sessionAffinity | ClientIP |
      When the Service "web" is updated:
        | field                      | value    |
        | spec.sessionAffinity       | None     |
        | spec.sessionAffinityConfig | (absent) |
      Then within 30 seconds the virtual servers of the node "n1" include:
        | address       | port | timeout |
        | (Service web) | 80   | 0       |

  @req:PRX-7
  Rule: Every node holds every ClusterIP on the dummy device kube-ipvs0

    @id:virtual-servers.16 @core
    Scenario Outline: A new ClusterIP is an address of every node
      When a Service "web" is created
      Then within 30 seconds the addresses of the node "<node>" include:
        | device     | address       | prefix |
        | kube-ipvs0 | (Service web) | 32     |
      And within 30 seconds the links of the node "<node>" include:
        | device     | kind  |
        | kube-ipvs0 | dummy |

      Examples:
        | node |
        | n1   |
        | n2   |

    @id:virtual-servers.17 @core
    Scenario: The address of a deleted Service goes
      Given a Service "web"
      And connections from the node "n1" to port 80 of the Service "web" are answered
      And the ClusterIP of the Service "web" is called "first"
      When the Service "web" is deleted
      Then within 30 seconds the addresses of the node "n1" include none of:
        | address |
        | "first" |

  @req:PRX-27
  Rule: An address of a Service is no way to the node's own programs: other ports refuse

    @id:virtual-servers.18 @core
    Scenario: A port that the Service does not have
      Given these running Pods:
        | name | labels   | spec.nodeName | spec.hostNetwork | serves |
        | host | app=host | n1            | true             | 8081   |
      When a Service "web" is created
      Then within 30 seconds connections from the Pod "a" to port 80 of the Service "web" are answered
      And within 30 seconds connections from the Pod "a" to port 8081 of the Service "web" are refused
