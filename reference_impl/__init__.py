"""A readable training, quantisation and legal evaluation stack for Parameter Golf; see reference_impl/README.md.

The package never imports the auditor: it is what a submission is made from, and must stand alone.
"""
