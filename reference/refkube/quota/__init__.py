"""What objects use of a namespace's quota: shared by the admission plugin and the controller, so that both agree."""
