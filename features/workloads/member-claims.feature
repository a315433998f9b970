@needs:pods.run
Feature: Claims of a StatefulSet's members
  Each member gets claims of its own, made from the StatefulSet's templates, and named after it: so a member finds again
  what was its own. No storage is needed for that: the claims of these scenarios are of a class that nobody provides, and
  the members wait for it.

  @req:STS-7
  Rule: Each member has claims of its own, which it finds again

    @id:member-claims.01 @core
    Scenario: There is a claim for each member and template, and the members use them
      When a StatefulSet "web" is created with:
        """
        spec:
          replicas: 2
          podManagementPolicy: Parallel
          volumeClaimTemplates:
            - metadata: {name: data, labels: {kept: "yes"}}
              spec:
                storageClassName: nowhere
                accessModes: [ReadWriteOnce]
                resources: {requests: {storage: 1Gi}}
            - metadata: {name: log}
              spec:
                storageClassName: nowhere
                accessModes: [ReadWriteOnce]
                resources: {requests: {storage: 2Gi}}
        """
      Then within 30 seconds the only PersistentVolumeClaims are "data-web-0", "data-web-1", "log-web-0" and "log-web-1"
      And the PersistentVolumeClaim "data-web-1" has:
        | field                           | value                   |
        | metadata.labels                 | {app: web, kept: "yes"} |
        | metadata.ownerReferences        | (absent)                |
        | spec.resources.requests.storage | 1Gi                     |
      And within 30 seconds the Pod "web-1" has:
        | field                                                   | value      |
        | spec.volumes[name=data].persistentVolumeClaim.claimName | data-web-1 |
        | spec.volumes[name=log].persistentVolumeClaim.claimName  | log-web-1  |

    @id:member-claims.02 @core
    Scenario: Scaling in keeps the claims
      Given a StatefulSet "web" with:
        """
        spec:
          replicas: 2
          podManagementPolicy: Parallel
          volumeClaimTemplates:
            - metadata: {name: data}
              spec:
                storageClassName: nowhere
                accessModes: [ReadWriteOnce]
                resources: {requests: {storage: 1Gi}}
        """
      And the Pods labelled "app=web" are called "web-0" and "web-1"
      When the scale of the StatefulSet "web" is updated:
        | field         | value |
        | spec.replicas | 1     |
      Then within 30 seconds there is no Pod "web-1"
      And for 5 seconds the PersistentVolumeClaim "data-web-1" still has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |

    @id:member-claims.03 @core
    Scenario: Scaling out finds them again
      Given a StatefulSet "web" with:
        """
        spec:
          replicas: 2
          podManagementPolicy: Parallel
          volumeClaimTemplates:
            - metadata: {name: data}
              spec:
                storageClassName: nowhere
                accessModes: [ReadWriteOnce]
                resources: {requests: {storage: 1Gi}}
        """
      And the Pods labelled "app=web" are called "web-0" and "web-1"
      And somebody has changed the StatefulSet "web":
        | field         | value |
        | spec.replicas | 1     |
      And the Pod "web-1" has gone
      And the version of the PersistentVolumeClaim "data-web-1" is called "before"
      When the scale of the StatefulSet "web" is updated:
        | field         | value |
        | spec.replicas | 2     |
      Then within 30 seconds the Pod "web-1" has:
        | field                                                   | value      |
        | spec.volumes[name=data].persistentVolumeClaim.claimName | data-web-1 |
      And the PersistentVolumeClaim "data-web-1" is still at version "before"

    @id:member-claims.04 @core
    Scenario: A claim that was there before is used as it is
      Given a PersistentVolumeClaim "data-web-0" with:
        | field                           | value   |
        | spec.storageClassName           | nowhere |
        | spec.resources.requests.storage | 7Gi     |
      When a StatefulSet "web" is created with:
        """
        spec:
          replicas: 1
          volumeClaimTemplates:
            - metadata: {name: data}
              spec:
                storageClassName: nowhere
                accessModes: [ReadWriteOnce]
                resources: {requests: {storage: 1Gi}}
        """
      Then within 30 seconds the Pod "web-0" has:
        | field                                                   | value      |
        | spec.volumes[name=data].persistentVolumeClaim.claimName | data-web-0 |
      And the PersistentVolumeClaim "data-web-0" has:
        | field                           | value |
        | spec.resources.requests.storage | 7Gi   |

  @req:STS-11
  Rule: Whether claims stay or go with their member, or with the StatefulSet, is a matter of policy

    @id:member-claims.05 @core
    Scenario Outline: Scaled in under <scaled> and <deleted>, a claim is <left>
      Given a StatefulSet "web" with:
        """
        spec:
          replicas: 2
          podManagementPolicy: Parallel
          persistentVolumeClaimRetentionPolicy: {whenScaled: <scaled>, whenDeleted: <deleted>}
          volumeClaimTemplates:
            - metadata: {name: data}
              spec:
                storageClassName: nowhere
                accessModes: [ReadWriteOnce]
                resources: {requests: {storage: 1Gi}}
        """
      And the Pods labelled "app=web" are called "web-0" and "web-1"
      When the scale of the StatefulSet "web" is updated:
        | field         | value |
        | spec.replicas | 1     |
      Then within 30 seconds there is no Pod "web-1"
      And within 30 seconds the only PersistentVolumeClaims are <claims>
      And for 5 seconds there are <n> active PersistentVolumeClaims

      Examples:
        | scaled | deleted | left | claims                        | n |
        | Delete | Retain  | gone | "data-web-0"                  | 1 |
        | Retain | Delete  | kept | "data-web-0" and "data-web-1" | 2 |

    @id:member-claims.06 @core
    Scenario Outline: Deleted under <deleted>, a StatefulSet leaves <n> claims behind
      Given a StatefulSet "web" with:
        """
        spec:
          replicas: 2
          podManagementPolicy: Parallel
          persistentVolumeClaimRetentionPolicy: {whenScaled: <scaled>, whenDeleted: <deleted>}
          volumeClaimTemplates:
            - metadata: {name: data}
              spec:
                storageClassName: nowhere
                accessModes: [ReadWriteOnce]
                resources: {requests: {storage: 1Gi}}
        """
      And the Pods labelled "app=web" are called "web-0" and "web-1"
      When the StatefulSet "web" is deleted
      Then within 30 seconds there are no Pods labelled "app=web"
      And within 30 seconds there are <n> PersistentVolumeClaims
      And for 5 seconds there are <n> active PersistentVolumeClaims

      Examples:
        | scaled | deleted | n |
        | Delete | Retain  | 2 |
        | Retain | Delete  | 0 |
