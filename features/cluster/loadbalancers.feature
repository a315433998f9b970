Feature: Load balancers
  A Service of the type LoadBalancer gets an address outside of the cluster from the infrastructure that the cluster
  runs on. What was made for a Service is released with it; so the Service stays until that is done.

  @req:SVC-1 @needs:lb.provision
  Rule: A LoadBalancer Service gets an address from the infrastructure

    @id:loadbalancers.01 @core
    Scenario: A LoadBalancer Service gets an address, and is held by it
      When a Service "web" is created with:
        | field     | value        |
        | spec.type | LoadBalancer |
      Then within 60 seconds the Service "web" has:
        | field                             | value                                           |
        | status.loadBalancer.ingress[0]    | (present)                                       |
        | metadata.finalizers               | [service.kubernetes.io/load-balancer-cleanup]   |
      And within 30 seconds an Event "EnsuredLoadBalancer" tells of the Service "web"

    @id:loadbalancers.02 @core
    Scenario: A Service that comes to be a LoadBalancer gets an address
      Given a Service "web"
      When the Service "web" is updated:
        | field     | value        |
        | spec.type | LoadBalancer |
      Then within 60 seconds the Service "web" has:
        | field                          | value     |
        | status.loadBalancer.ingress[0] | (present) |

    @id:loadbalancers.03 @core
    Scenario: A Service of any other type gets none
      When a Service "web" is created with:
        | field     | value    |
        | spec.type | NodePort |
      Then for 10 seconds the Service "web" still has:
        | field                          | value    |
        | status.loadBalancer.ingress    | (absent) |
        | metadata.finalizers            | (absent) |

    @id:loadbalancers.04 @core
    Scenario: A Service of another class is left to who makes that class
      When a Service "web" is created with:
        | field                  | value               |
        | spec.type              | LoadBalancer        |
        | spec.loadBalancerClass | example.com/another |
      Then for 10 seconds the Service "web" still has:
        | field                       | value    |
        | status.loadBalancer.ingress | (absent) |
        | metadata.finalizers         | (absent) |

    @id:loadbalancers.05 @extended
    Scenario: Two Services have two addresses
      Given a Service "web" with:
        | field     | value        |
        | spec.type | LoadBalancer |
      And the load balancer's address of the Service "web" is called "first"
      And a Service "other" with:
        | field     | value        |
        | spec.type | LoadBalancer |
      When 20 seconds pass
      Then the Service "other" has another load balancer's address than "first"

    @id:loadbalancers.06 @extended
    Scenario: An address that the infrastructure does not have is not had, and the Service tells so
      When a Service "web" is created with:
        | field               | value        |
        | spec.type           | LoadBalancer |
        | spec.loadBalancerIP | 192.0.2.77   |
      Then within 30 seconds an Event "SyncLoadBalancerFailed" tells of the Service "web"
      And the Service "web" has:
        | field                       | value    |
        | status.loadBalancer.ingress | (absent) |

    @id:loadbalancers.07 @extended
    Scenario: A node that joins takes part in what there is
      Given a Service "web" with:
        | field     | value        |
        | spec.type | LoadBalancer |
      And the load balancer's address of the Service "web" is called "first"
      When a Node "more" is created
      Then within 60 seconds an Event "UpdatedLoadBalancer" tells of the Service "web"

  @req:SVC-1 @needs:lb.provision
  Rule: The address is released when the Service changes its type or goes

    @id:loadbalancers.08 @core
    Scenario: A Service that is a LoadBalancer no more has no address any more
      Given a Service "web" with:
        | field     | value        |
        | spec.type | LoadBalancer |
      And the load balancer's address of the Service "web" is called "first"
      When the Service "web" is updated:
        | field     | value     |
        | spec.type | ClusterIP |
      Then within 60 seconds the Service "web" has:
        | field                       | value    |
        | status.loadBalancer.ingress | (absent) |
        | metadata.finalizers         | (absent) |
      And within 30 seconds an Event "DeletedLoadBalancer" tells of the Service "web"

    @id:loadbalancers.09 @core
    Scenario: A Service that is deleted goes when its address is released
      Given a Service "web" with:
        | field     | value        |
        | spec.type | LoadBalancer |
      And the load balancer's address of the Service "web" is called "first"
      When the Service "web" is deleted
      Then within 60 seconds there is no Service "web"

    @id:loadbalancers.10 @extended
    Scenario: A released address can be had by another Service
      Given a Service "web" with:
        | field     | value        |
        | spec.type | LoadBalancer |
      And the load balancer's address of the Service "web" is called "first"
      And somebody has deleted the Service "web"
      And the Service "web" has gone
      When a Service "other" that asks for the load balancer's address "first" is created
      Then within 60 seconds the Service "other" has:
        | field                          | value     |
        | status.loadBalancer.ingress[0] | (present) |
