@req:SCH-14
Feature: Claims
  A Pod goes where its volumes are. A claim that is bound ties it to the nodes from which the volume can be reached; a
  claim that waits for its first consumer is bound to a volume within reach of the node that the scheduler chooses.

  Rule: A Pod gets only a node from which its volumes can be reached

    @id:claims.01 @core
    Scenario: A Pod waits for the claim that it mounts
      Given these nodes:
        | name |
        | a    |
      When a Pod "web" is created with:
        | field        | value                                                        |
        | spec.volumes | [{name: data, persistentVolumeClaim: {claimName: data}}] |
      Then within 30 seconds the Pod "web" fits nowhere

    @id:claims.02 @core
    Scenario: A Pod waits for its claim to be bound
      Given these nodes:
        | name |
        | a    |
      And a PersistentVolumeClaim "data" with:
        | field                 | value |
        | spec.storageClassName | ""    |
      When a Pod "web" is created with:
        | field        | value                                                        |
        | spec.volumes | [{name: data, persistentVolumeClaim: {claimName: data}}] |
      Then within 30 seconds the Pod "web" fits nowhere

    @id:claims.03 @core
    Scenario: A Pod comes to the node that its volume is on
      Given these nodes:
        | name | labels  |
        | a    | site=s1 |
        | b    | site=s2 |
      And a PersistentVolume "disk" with:
        """
        spec:
          storageClassName: ""
          nodeAffinity:
            required:
              nodeSelectorTerms:
                - matchExpressions: [{key: site, operator: In, values: [s2]}]
        """
      And a PersistentVolumeClaim "data" with:
        | field                 | value |
        | spec.storageClassName | ""    |
        | spec.volumeName       | disk  |
      And the PersistentVolumeClaim "data" has come to have:
        | field        | value |
        | status.phase | Bound |
      And these Pods on nodes:
        | name | node | cpu | memory |
        | x    | b    | 2   | 4Gi    |
      When a Pod "web" is created with:
        | field        | value                                                        |
        | spec.volumes | [{name: data, persistentVolumeClaim: {claimName: data}}] |
      Then within 30 seconds the Pod "web" is on the node "b"

    @id:claims.04 @extended
    Scenario: A volume that is labelled with its zone is used there
      Given these nodes:
        | name | labels                         |
        | a    | topology.kubernetes.io/zone=z1 |
        | b    | topology.kubernetes.io/zone=z2 |
      And a PersistentVolume "disk" with:
        """
        metadata: {labels: {topology.kubernetes.io/zone: z2}}
        spec: {storageClassName: ""}
        """
      And a PersistentVolumeClaim "data" with:
        | field                 | value |
        | spec.storageClassName | ""    |
        | spec.volumeName       | disk  |
      And the PersistentVolumeClaim "data" has come to have:
        | field        | value |
        | status.phase | Bound |
      And these Pods on nodes:
        | name | node | cpu | memory |
        | x    | b    | 2   | 4Gi    |
      When a Pod "web" is created with:
        | field        | value                                                        |
        | spec.volumes | [{name: data, persistentVolumeClaim: {claimName: data}}] |
      Then within 30 seconds the Pod "web" is on the node "b"

    @id:claims.05 @extended
    Scenario: A claim for one Pod has one at a time
      Given these nodes:
        | name |
        | a    |
      And a PersistentVolume "disk" with:
        """
        spec: {storageClassName: "", accessModes: [ReadWriteOncePod]}
        """
      And a PersistentVolumeClaim "data" with:
        | field                 | value              |
        | spec.storageClassName | ""                 |
        | spec.volumeName       | disk               |
        | spec.accessModes      | [ReadWriteOncePod] |
      And the PersistentVolumeClaim "data" has come to have:
        | field        | value |
        | status.phase | Bound |
      When these Pods are created:
        | name | labels  | spec.volumes                                             |
        | x    | app=web | [{name: data, persistentVolumeClaim: {claimName: data}}] |
        | y    | app=web | [{name: data, persistentVolumeClaim: {claimName: data}}] |
      Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods |
        | a      | 1    |
        | (none) | 1    |

  Rule: A claim that waits for its first consumer is bound within reach of the Pod's node

    Background:
      Given a StorageClass "local" with:
        | field             | value                        |
        | provisioner       | kubernetes.io/no-provisioner |
        | volumeBindingMode | WaitForFirstConsumer         |
      And a PersistentVolumeClaim "data" with:
        | field                 | value |
        | spec.storageClassName | local |

    @id:claims.06 @core
    Scenario: The Pod comes where there is a volume for it
      Given these nodes:
        | name | labels  |
        | a    | site=s1 |
        | b    | site=s2 |
      And a PersistentVolume "disk" with:
        """
        spec:
          storageClassName: local
          nodeAffinity:
            required:
              nodeSelectorTerms:
                - matchExpressions: [{key: site, operator: In, values: [s2]}]
        """
      And the PersistentVolume "disk" has come to have:
        | field        | value     |
        | status.phase | Available |
      And these Pods on nodes:
        | name | node | cpu | memory |
        | x    | b    | 2   | 4Gi    |
      When a Pod "web" is created with:
        | field        | value                                                        |
        | spec.volumes | [{name: data, persistentVolumeClaim: {claimName: data}}] |
      Then within 30 seconds the Pod "web" is on the node "b"
      And the PersistentVolumeClaim "data" has:
        | field           | value |
        | spec.volumeName | disk  |

    @id:claims.07 @core
    Scenario: Without a volume within reach the Pod waits, and the claim with it
      Given these nodes:
        | name | labels  |
        | a    | site=s1 |
      And a PersistentVolume "disk" with:
        """
        spec:
          storageClassName: local
          nodeAffinity:
            required:
              nodeSelectorTerms:
                - matchExpressions: [{key: site, operator: In, values: [s2]}]
        """
      When a Pod "web" is created with:
        | field        | value                                                        |
        | spec.volumes | [{name: data, persistentVolumeClaim: {claimName: data}}] |
      Then within 30 seconds the Pod "web" fits nowhere
      And the PersistentVolumeClaim "data" has:
        | field        | value   |
        | status.phase | Pending |

    @id:claims.08 @core
    Scenario: A volume that comes later ends the waiting
      Given these nodes:
        | name |
        | a    |
      And a Pod "web" with:
        | field        | value                                                        |
        | spec.volumes | [{name: data, persistentVolumeClaim: {claimName: data}}] |
      And the Pod "web" has fitted nowhere
      When a PersistentVolume "disk" is created with:
        """
        spec:
          storageClassName: local
          nodeAffinity:
            required:
              nodeSelectorTerms:
                - matchExpressions: [{key: gherkube.dev/nodes-of, operator: Exists}]
        """
      Then within 60 seconds the Pod "web" is on the node "a"

    @id:claims.09 @extended
    Scenario: A volume still to be made is asked for on the Pod's node
      Given these nodes:
        | name |
        | a    |
      And a StorageClass "made" with:
        | field             | value                 |
        | provisioner       | example.com/nobody |
        | volumeBindingMode | WaitForFirstConsumer  |
      And a PersistentVolumeClaim "more" with:
        | field                 | value |
        | spec.storageClassName | made  |
      When a Pod "web" is created with:
        | field        | value                                                        |
        | spec.volumes | [{name: more, persistentVolumeClaim: {claimName: more}}] |
      Then within 30 seconds the PersistentVolumeClaim "more" has:
        | field                                                   | value |
        | metadata.annotations["volume.kubernetes.io/selected-node"] | a     |
