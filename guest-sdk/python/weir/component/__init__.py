"""The operator as a component: what is exported to the host. Only `weir plugin build` imports it, for which the
generated bindings are there.
"""
