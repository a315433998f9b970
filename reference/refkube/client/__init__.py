"""How a component speaks to an API server: clients, informers, work queues, controllers."""
