Feature: Volumes on demand
  Where a class has a provisioner nobody needs to make volumes before they are claimed: a claim gets one that was made
  for it, and unless it is to be kept, the volume goes with the claim.

  @req:VOL-1 @needs:storage.provision
  Rule: A class with a provisioner makes a volume for a claim

    @id:provisioning.01 @core
    Scenario: A claim that names no class gets a volume of the default class
      When a PersistentVolumeClaim "data" is created
      Then within 60 seconds the PersistentVolumeClaim "data" has:
        | field                   | value                             |
        | status.phase            | Bound                             |
        | spec.storageClassName   | (present)                         |
        | status.accessModes      | [ReadWriteOnce]                   |
      And the volume of the PersistentVolumeClaim "data" has:
        | field                              | value |
        | status.phase                       | Bound |
        | spec.claimRef.name                 | data  |
        | spec.persistentVolumeReclaimPolicy | Delete |

    @id:provisioning.02 @core
    Scenario: A claim that wants no class gets no volume made for it
      When a PersistentVolumeClaim "data" is created with:
        | field                           | value |
        | spec.storageClassName           | ""    |
        | spec.resources.requests.storage | 900Pi |
      Then for 20 seconds the PersistentVolumeClaim "data" still has:
        | field                 | value   |
        | status.phase          | Pending |
        | spec.storageClassName | ""      |

    @id:provisioning.03 @core
    Scenario: Every claim has a volume of its own
      When 5 PersistentVolumeClaims named "data-1" to "data-5" are created at once
      Then within 60 seconds 5 of the PersistentVolumeClaims are bound, each to a volume of its own

    @id:provisioning.04 @core
    Scenario: A class whose provisioner is somebody else's leaves the claim to them
      Given a StorageClass "foreign"
      When a PersistentVolumeClaim "data" is created with:
        | field                 | value   |
        | spec.storageClassName | foreign |
      Then within 30 seconds an Event "ExternalProvisioning" tells of the PersistentVolumeClaim "data"
      And the PersistentVolumeClaim "data" has:
        | field                                                              | value            |
        | status.phase                                                       | Pending          |
        | metadata.annotations["volume.kubernetes.io/storage-provisioner"]   | example.com/none |

  @req:VOL-2 @needs:storage.provision
  Rule: A volume that was made for a claim goes with it, unless it is to be kept

    @id:provisioning.05 @core
    Scenario: The volume of a claim that is deleted is deleted
      Given a PersistentVolumeClaim "data" and its volume, called "disk"
      When the PersistentVolumeClaim "data" is deleted
      Then within 60 seconds there is no PersistentVolume "disk"

    @id:provisioning.06 @core
    Scenario: A volume that is to be kept stays
      Given a PersistentVolumeClaim "data" and its volume, called "disk"
      And somebody has changed the PersistentVolume "disk":
        | field                              | value  |
        | spec.persistentVolumeReclaimPolicy | Retain |
      When the PersistentVolumeClaim "data" is deleted
      Then within 30 seconds the PersistentVolume "disk" has:
        | field        | value    |
        | status.phase | Released |
      And for 20 seconds the PersistentVolume "disk" still has:
        | field        | value    |
        | status.phase | Released |

  @req:VOL-4 @needs:storage.provision
  Rule: A claim grows only where its class allows that, and never shrinks

    @id:provisioning.07 @extended
    Scenario: A claim that asks for more gets it where its class allows that
      Given a PersistentVolumeClaim "data" and its volume, called "disk"
      When the PersistentVolumeClaim "data" is updated:
        | field                           | value |
        | spec.resources.requests.storage | 3Gi   |
      Then within 60 seconds the PersistentVolumeClaim "data" has:
        | field                   | value |
        | status.capacity.storage | 3Gi   |
      And the PersistentVolume "disk" has:
        | field                 | value |
        | spec.capacity.storage | 3Gi   |
