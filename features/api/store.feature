Feature: Store
  What a cluster knows is in one store, and API servers stand between it and everybody else. So whatever they have
  acknowledged is there when they are not, and nothing is there that they have not judged.

  @needs:store.read
  Rule: What was acknowledged is in the store, and nothing else is

    @req:API-2 @id:store.01 @core
    Scenario: An object that was created is in the store
      When a ConfigMap "settings" is created with:
        | field      | value |
        | data.color | blue  |
      Then the request is accepted
      And the store holds the ConfigMap "settings" with:
        | field              | value     |
        | metadata.namespace | home      |
        | metadata.uid       | (present) |
        | data.color         | blue      |

    @req:API-2 @id:store.02 @core
    Scenario: A change is in the store
      Given a Deployment "web" with:
        | field         | value |
        | spec.replicas | 0     |
      When the scale of the Deployment "web" is changed by the merge patch:
        """
        {spec: {replicas: 2}}
        """
      Then the request is accepted
      And the store holds the Deployment "web" with:
        | field         | value |
        | spec.replicas | 2     |

    @req:API-2 @id:store.03 @core
    Scenario: What was deleted is not in the store
      Given a ConfigMap "settings"
      When the ConfigMap "settings" is deleted
      Then the request is accepted
      And the store holds no ConfigMap "settings"

    @req:API-2 @id:store.04 @core
    Scenario: What was refused is not in the store
      When a ConfigMap "settings" is created with:
        | field      | value |
        | data.color | 3     |
      Then the request is refused as BadRequest
      And the store holds no ConfigMap "settings"

    @req:API-12 @id:store.05 @core
    Scenario: Nobody but API servers asks the store
      Given a Deployment "web" with:
        | field         | value |
        | spec.replicas | 0     |
      When the Deployment "web" is deleted
      Then the request is accepted
      And API servers are the only clients of the store
