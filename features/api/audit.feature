Feature: Audit
  Nothing in a cluster changes behind the back of its API. Whoever changes something asks an API server for it, by
  name, and the record of requests tells who has changed what.

  @req:API-1 @needs:audit.read
  Rule: Every change is a request under the identity of whoever makes it

    @id:audit.01 @core
    Scenario: A change is on record under the name of the account that made it
      Given a ServiceAccount "robot"
      And the ServiceAccount "robot" may edit what is in its namespace
      And the next request is made by the ServiceAccount "robot"
      When a ConfigMap "settings" is created
      Then the request is accepted
      And these requests are on record:
        | user                             | verb   | resource   | name     | outcome  |
        | system:serviceaccount:home:robot | create | configmaps | settings | accepted |

    @id:audit.02 @core
    Scenario: What is read and changed is on record in its order
      Given a ServiceAccount "robot"
      And the ServiceAccount "robot" may edit what is in its namespace
      And a Deployment "web" with:
        | field         | value |
        | spec.replicas | 0     |
      And the next request is made by the ServiceAccount "robot"
      When the scale of the Deployment "web" is changed by the merge patch:
        """
        {spec: {replicas: 0}}
        """
      Then these requests are on record:
        | user                             | verb   | resource          | name | outcome  |
        |                                  | create | deployments       | web  | accepted |
        | system:serviceaccount:home:robot | patch  | deployments/scale | web  | accepted |

    @id:audit.03 @core
    Scenario: What was refused is on record as refused
      Given a ServiceAccount "robot"
      And the ServiceAccount "robot" may edit what is in its namespace
      And the next request is made by the ServiceAccount "robot"
      When the ConfigMap "settings" is deleted
      Then the request is refused as NotFound
      And these requests are on record:
        | user                             | verb   | resource   | name     | outcome |
        | system:serviceaccount:home:robot | delete | configmaps | settings | refused |
