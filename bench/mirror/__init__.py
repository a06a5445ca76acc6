"""The mirror measured: a storm of builds, many clients of one image, and speed beside distribution, drayage and nginx."""
